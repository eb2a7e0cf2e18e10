/**
 * Every key of the four objects once: as the Go program's YAML has it, in lower case and with `resources` apart, and as
 * the Engine API has it.
 */
export const written = `
container:
  hostname: h1
  domainname: example.org
  user: "1000:1000"
  attachstdin: false
  attachstdout: true
  attachstderr: true
  exposedports: {8080/tcp: {}}
  tty: false
  openstdin: false
  stdinonce: false
  env: [A=1, "B=two words"]
  cmd: [/bin/never]
  healthcheck: {test: [CMD, "true"], interval: 30s, timeout: 2000000000, retries: 3, startperiod: 1s, startinterval: 5s}
  argsescaped: false
  image: containerssh-test/busybox:1
  volumes: {/data: {}}
  workingdir: /tmp
  entrypoint: []
  networkdisabled: false
  macaddress: "02:42:ac:11:00:99"
  onbuild: [RUN true]
  labels: {Purpose: Keys, lower: case}
  stopsignal: SIGUSR1
  stoptimeout: 7
  shell: [/bin/sh, -c]
host:
  binds: [/tmp:/host:ro]
  containeridfile: ""
  logconfig: {type: json-file, config: {max-size: 1m}}
  networkmode: none
  portbindings: {8080/tcp: [{HostIp: 127.0.0.1, HostPort: "0"}]}
  restartpolicy: {name: on-failure, maximumretrycount: 2}
  autoremove: false
  volumedriver: local
  volumesfrom: []
  consolesize: [25, 81]
  annotations: {org.example/x: "1"}
  capadd: [NET_ADMIN]
  capdrop: [MKNOD]
  cgroupnsmode: host
  dns: [192.0.2.53]
  dnsoptions: [ndots:2]
  dnssearch: [example.org]
  extrahosts: [other:192.0.2.1]
  groupadd: ["7"]
  ipcmode: private
  cgroup: ""
  links: []
  oomscoreadj: 100
  pidmode: ""
  privileged: false
  publishallports: false
  readonlyrootfs: true
  securityopt: [no-new-privileges]
  storageopt: {}
  tmpfs: {/run: "rw,size=1m"}
  utsmode: ""
  usernsmode: host
  shmsize: 33554432
  sysctls: {net.ipv4.ip_forward: "0"}
  runtime: runc
  isolation: default
  mounts:
    - type: tmpfs
      source: ""
      target: /mnt
      readonly: true
      consistency: default
      bindoptions: {propagation: rprivate, nonrecursive: true, createmountpoint: true, readonlynonrecursive: true, readonlyforcerecursive: true}
      volumeoptions: {nocopy: true, labels: {Vol: Label}, subpath: a/b, driverconfig: {name: local, options: {Opt: o}}}
      imageoptions: {subpath: c}
      tmpfsoptions: {sizebytes: 65536, mode: 448}
  maskedpaths: [/proc/kcore]
  readonlypaths: [/proc/sys]
  init: true
  resources:
    cpushares: 512
    memory: 67108864
    nanocpus: 500000000
    cgroupparent: ""
    blkioweight: 300
    blkioweightdevice: [{path: /dev/null, weight: 200}]
    blkiodevicereadbps: [{path: /dev/null, rate: 1000}]
    blkiodevicewritebps: [{path: /dev/null, rate: 1001}]
    blkiodevicereadiops: [{path: /dev/null, rate: 1002}]
    blkiodevicewriteiops: [{path: /dev/null, rate: 1003}]
    cpuperiod: 100000
    cpuquota: 50000
    cpurealtimeperiod: 1000000
    cpurealtimeruntime: 950000
    cpusetcpus: "0"
    cpusetmems: "0"
    devices: [{pathonhost: /dev/null, pathincontainer: /dev/nothing, cgrouppermissions: rwm}]
    devicecgrouprules: ["c 1:3 r"]
    devicerequests: [{driver: d, count: -1, deviceids: [i], capabilities: [[gpu]], options: {Opt: o}}]
    kernelmemory: 8388608
    kernelmemorytcp: 8388608
    memoryreservation: 33554432
    memoryswap: 134217728
    memoryswappiness: 10
    oomkilldisable: false
    pidslimit: 50
    ulimits: [{name: nofile, hard: 1000, soft: 900}]
    cpucount: 1
    cpupercent: 2
    iomaximumiops: 3
    iomaximumbandwidth: 4
network:
  endpointsconfig:
    Net:
      ipamconfig: {ipv4address: 192.0.2.5, ipv6address: "2001:db8::5", linklocalips: [169.254.1.1]}
      links: [other]
      macaddress: "02:42:ac:11:00:98"
      aliases: [me]
      driveropts: {Opt: o}
      gwpriority: 1
      networkid: n
      endpointid: e
      gateway: 192.0.2.254
      ipaddress: 192.0.2.5
      ipprefixlen: 24
      ipv6gateway: "2001:db8::1"
      globalipv6address: "2001:db8::5"
      globalipv6prefixlen: 64
      dnsnames: [me]
platform: {architecture: amd64, os: linux, osversion: "6", osfeatures: [f], variant: v2}
`

const rate = (rate: number) => [{ Path: '/dev/null', Rate: rate }]
const bindOptions = {
  Propagation: 'rprivate',
  NonRecursive: true,
  CreateMountpoint: true,
  ReadOnlyNonRecursive: true,
  ReadOnlyForceRecursive: true,
}

export const container = {
  Hostname: 'h1',
  Domainname: 'example.org',
  User: '1000:1000',
  AttachStdin: false,
  AttachStdout: true,
  AttachStderr: true,
  ExposedPorts: { '8080/tcp': {} },
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Env: ['A=1', 'B=two words'],
  Cmd: ['/bin/never'],
  Healthcheck: {
    Test: ['CMD', 'true'],
    Interval: 30e9,
    Timeout: 2e9,
    Retries: 3,
    StartPeriod: 1e9,
    StartInterval: 5e9,
  },
  ArgsEscaped: false,
  Image: 'containerssh-test/busybox:1',
  Volumes: { '/data': {} },
  WorkingDir: '/tmp',
  Entrypoint: [],
  NetworkDisabled: false,
  MacAddress: '02:42:ac:11:00:99',
  OnBuild: ['RUN true'],
  Labels: { Purpose: 'Keys', lower: 'case' },
  StopSignal: 'SIGUSR1',
  StopTimeout: 7,
  Shell: ['/bin/sh', '-c'],
}

export const host = {
  Binds: ['/tmp:/host:ro'],
  ContainerIDFile: '',
  LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } },
  NetworkMode: 'none',
  PortBindings: { '8080/tcp': [{ HostIp: '127.0.0.1', HostPort: '0' }] },
  RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 },
  AutoRemove: false,
  VolumeDriver: 'local',
  VolumesFrom: [],
  ConsoleSize: [25, 81],
  Annotations: { 'org.example/x': '1' },
  CapAdd: ['NET_ADMIN'],
  CapDrop: ['MKNOD'],
  CgroupnsMode: 'host',
  Dns: ['192.0.2.53'],
  DnsOptions: ['ndots:2'],
  DnsSearch: ['example.org'],
  ExtraHosts: ['other:192.0.2.1'],
  GroupAdd: ['7'],
  IpcMode: 'private',
  Cgroup: '',
  Links: [],
  OomScoreAdj: 100,
  PidMode: '',
  Privileged: false,
  PublishAllPorts: false,
  ReadonlyRootfs: true,
  SecurityOpt: ['no-new-privileges'],
  StorageOpt: {},
  Tmpfs: { '/run': 'rw,size=1m' },
  UTSMode: '',
  UsernsMode: 'host',
  ShmSize: 32 << 20,
  Sysctls: { 'net.ipv4.ip_forward': '0' },
  Runtime: 'runc',
  Isolation: 'default',
  Mounts: [
    {
      Type: 'tmpfs',
      Source: '',
      Target: '/mnt',
      ReadOnly: true,
      Consistency: 'default',
      BindOptions: bindOptions,
      VolumeOptions: {
        NoCopy: true,
        Labels: { Vol: 'Label' },
        Subpath: 'a/b',
        DriverConfig: { Name: 'local', Options: { Opt: 'o' } },
      },
      ImageOptions: { Subpath: 'c' },
      TmpfsOptions: { SizeBytes: 65_536, Mode: 448 },
    },
  ],
  MaskedPaths: ['/proc/kcore'],
  ReadonlyPaths: ['/proc/sys'],
  Init: true,
  CpuShares: 512,
  Memory: 64 << 20,
  NanoCpus: 500_000_000,
  CgroupParent: '',
  BlkioWeight: 300,
  BlkioWeightDevice: [{ Path: '/dev/null', Weight: 200 }],
  BlkioDeviceReadBps: rate(1000),
  BlkioDeviceWriteBps: rate(1001),
  BlkioDeviceReadIOps: rate(1002),
  BlkioDeviceWriteIOps: rate(1003),
  CpuPeriod: 100_000,
  CpuQuota: 50_000,
  CpuRealtimePeriod: 1_000_000,
  CpuRealtimeRuntime: 950_000,
  CpusetCpus: '0',
  CpusetMems: '0',
  Devices: [{ PathOnHost: '/dev/null', PathInContainer: '/dev/nothing', CgroupPermissions: 'rwm' }],
  DeviceCgroupRules: ['c 1:3 r'],
  DeviceRequests: [{ Driver: 'd', Count: -1, DeviceIDs: ['i'], Capabilities: [['gpu']], Options: { Opt: 'o' } }],
  KernelMemory: 8 << 20,
  KernelMemoryTCP: 8 << 20,
  MemoryReservation: 32 << 20,
  MemorySwap: 128 << 20,
  MemorySwappiness: 10,
  OomKillDisable: false,
  PidsLimit: 50,
  Ulimits: [{ Name: 'nofile', Hard: 1000, Soft: 900 }],
  CpuCount: 1,
  CpuPercent: 2,
  IOMaximumIOps: 3,
  IOMaximumBandwidth: 4,
}

export const network = {
  EndpointsConfig: {
    Net: {
      IPAMConfig: { IPv4Address: '192.0.2.5', IPv6Address: '2001:db8::5', LinkLocalIPs: ['169.254.1.1'] },
      Links: ['other'],
      MacAddress: '02:42:ac:11:00:98',
      Aliases: ['me'],
      DriverOpts: { Opt: 'o' },
      GwPriority: 1,
      NetworkID: 'n',
      EndpointID: 'e',
      Gateway: '192.0.2.254',
      IPAddress: '192.0.2.5',
      IPPrefixLen: 24,
      IPv6Gateway: '2001:db8::1',
      GlobalIPv6Address: '2001:db8::5',
      GlobalIPv6PrefixLen: 64,
      DNSNames: ['me'],
    },
  },
}

export const platform = { architecture: 'amd64', os: 'linux', osversion: '6', osfeatures: ['f'], variant: 'v2' }
