// What the page does when it is opened: all that was recorded is text to it, and becomes text of the page.
;(() => {
  const read = (block) => JSON.parse(block.textContent)
  const summary = read(document.getElementById('summary'))
  const casts = new Map()
  for (const block of document.querySelectorAll('script[data-channel]')) {
    const channel = block.dataset.channel
    casts.set(channel, (casts.get(channel) ?? '') + read(block))
  }

  const add = (parent, name, text) => {
    const element = document.createElement(name)
    element.textContent = text
    parent.append(element)
    return element
  }
  const facts = document.getElementById('facts')
  const fact = (name, value) => {
    if (value === '') return
    add(facts, 'dt', name)
    add(facts, 'dd', value)
  }
  const user = summary.authenticated ? summary.username : `${summary.username} (not authenticated)`
  fact('User', user)
  fact('From', summary.remoteAddr)
  fact('Connection', summary.connectionId)
  fact('Begin', summary.start)
  fact('End', summary.ended ? summary.end : `${summary.end} (the log has no end)`)
  document.title = `${summary.username} ${summary.start}`

  const details = new Map(summary.channels.map((each) => [each.channel, each]))
  const nameOf = (channel) => {
    const { program = 'no program', terminal, exitStatus, exitSignal } = details.get(channel) ?? {}
    const end = exitSignal ?? exitStatus
    const parts = [`Channel ${channel}`, program, terminal === undefined ? '' : `terminal ${terminal}`]
    if (end !== undefined) parts.push(`exit ${end}`)
    return parts.filter((part) => part !== '').join(' · ')
  }

  const screen = document.getElementById('screen')
  let player
  const show = (channel, button) => {
    player?.dispose()
    for (const other of document.querySelectorAll('nav button')) other.removeAttribute('aria-current')
    button.setAttribute('aria-current', 'true')
    player = AsciinemaPlayer.create({ data: casts.get(channel) }, screen, {
      fit: 'both',
      idleTimeLimit: 3,
      preload: true,
    })
  }
  const list = document.querySelector('nav')
  for (const channel of casts.keys()) {
    const button = add(list, 'button', nameOf(channel))
    button.addEventListener('click', () => show(channel, button))
  }
  if (casts.size === 0) add(screen, 'p', 'There was no session in this connection.')
  else list.querySelector('button').click()
})()
