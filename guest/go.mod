module containerssh-agent

go 1.26.0
