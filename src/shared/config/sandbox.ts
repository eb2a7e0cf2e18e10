/** `sandbox`: sessions in Linux namespaces on the daemon's own machine. Sizes are bytes. */
import { choice, duration, flag, integer, name, ours, section, text, textMap, texts } from './fields.ts'

const mebibyte = 2 ** 20
const perStep = () => duration(60_000, 1)
/** Uid 0xffffffff means "none". */
const mostId = 0xffff_fffe

export const sandbox = section({
  tool: choice(['auto', 'bwrap', 'unshare'], 'auto').meta(
    ours(
      'What makes the namespaces: bubblewrap (`bwrap`), or `unshare` of util-linux together with the guest agent; `auto`: the first of them that can.',
    ),
  ),
  bwrap: name('bwrap').meta(ours('The program bubblewrap: a path, or a name that is looked for in PATH.')),
  unshare: name('unshare').meta(ours('The program unshare, likewise.')),
  directory: text().meta(
    ours(
      'Folder for sockets and marks of running sandboxes, the same for all daemons that share the user IDs. Empty: `/run/containerssh` as root, else `containerssh` below `XDG_RUNTIME_DIR` or a folder below the one for temporary files.',
    ),
  ),
  controlGroups: choice(['auto', 'off'], 'auto').meta(
    ours(
      'Limits hold for a sandbox as a whole by control groups, of version 2 or 1, where the daemon may make some below its own (`auto`). `off`, or where it may not: by setrlimit(2), which knows but single processes for memory and processor time.',
    ),
  ),
  rootfs: section({
    source: choice(['host', 'directory', 'archive'], 'host').meta(
      ours(
        "The sandbox's files, which cannot be changed: programs and libraries of the `host`, with an `/etc` of its own; or those of a `directory`; or those of an `archive`, which is unpacked once.",
      ),
    ),
    path: text().meta(
      ours(
        'The directory, which the user IDs of `ids` must be able to read; or the archive: tar, plain or compressed by gzip or zstd, of a root directory (`docker export`) or of one image (`docker save`, OCI image layout).',
      ),
    ),
    cache: text().meta(
      ours(
        'Folder for what was unpacked, in `rootfs/sha256-…` by the SHA-256 of the archive, the same for all daemons that may share it. Empty: `/var/cache/containerssh` as root, else `containerssh` below `XDG_CACHE_HOME` or `~/.cache`.',
      ),
    ),
    maxSize: integer(16 * 1024 * mebibyte, mebibyte).meta(
      ours(
        'An archive that unpacks to more is refused. Of an image, the layers as they are in the archive count as well.',
      ),
    ),
  }).meta(ours('What programs see as `/`; what they write there is gone with the session.')),
  mode: choice(['connection', 'session'], 'connection').meta(
    ours('`connection`: one sandbox per connection; `session`: one per session channel.'),
  ),
  hostname: text().meta(ours('Name of the machine that programs see; empty: the ID of the sandbox.')),
  network: choice(['none', 'loopback', 'host'], 'none').meta(
    ours(
      '`none`: no sockets but those of the file system, so nothing can be forwarded to TCP ports of the sandbox; `loopback`: a network of its own that leads nowhere; `host`: that of the machine, with all that listens there.',
    ),
  ),
  user: section({
    name: name('user').meta(ours('Name of the user that programs run as, in the sandbox.')),
    uid: integer(1000, 0, mostId).meta(ours('Its number, in the sandbox. 0 has no more rights than another.')),
    gid: integer(1000, 0, mostId).meta(ours('The number of its group, in the sandbox.')),
    home: name('/home/user').meta(ours('Its home, where programs begin.')),
  }).meta(ours('Who programs are in the sandbox.')),
  ids: section({
    first: integer(2_000_000, 1, mostId).meta(ours('The first of them.')),
    count: integer(65_536, 1, mostId).meta(ours('So many, and as many sandboxes at a time.')),
  }).meta(
    ours(
      'User and group IDs of the machine, used by nobody else, of which each sandbox has one if the daemon is root. Otherwise all have that of the daemon, and `count` only bounds their number.',
    ),
  ),
  limits: section({
    memory: integer(512 * mebibyte, 0).meta(
      ours(
        'Memory of a sandbox, 134217728 or more, with the files that it writes; 0: no limit. Without control groups of one process, and shared memory is not counted.',
      ),
    ),
    pids: integer(256, 0, 4_194_304).meta(ours('Processes and threads of a sandbox; 0: no limit.')),
    cpuTime: duration(0).meta(
      ours('Processor time of a sandbox, without control groups of one process, in whole seconds; 0: no limit.'),
    ),
    cpuPercent: integer(0, 0, 1_000_000).meta(
      ours('How much of one processor a sandbox may use at a time, e.g. 150; 0: no limit. Needs control groups.'),
    ),
    openFiles: integer(1024, 256, 1_048_576).meta(ours('Open files of one process.')),
    disk: integer(256 * mebibyte, mebibyte).meta(
      ours(
        'What all files that a sandbox writes may take; they are in memory. As much again in `/dev/shm`, and in `/var/tmp` of a directory or archive.',
      ),
    ),
    inodes: integer(65_536, 0).meta(
      ours(
        'Files, folders and links that a sandbox may have, 1024 or more, the few of its own among them; 0: no limit. As many again in `/dev/shm`.',
      ),
    ),
  }).meta(ours('What a sandbox may use.')),
  shellCommand: texts(['/bin/bash']).meta(ours('Runs for a shell.')),
  environment: textMap().meta(ours('Variables of all programs: name to value.')),
  agentBinary: section({
    amd64: text().meta(ours('On this architecture; empty: the one that was built with this program.')),
    arm64: text().meta(ours('On this architecture; empty: the one that was built with this program.')),
  }).meta(ours('Files of the guest agent, which is the first process of a sandbox.')),
  subsystems: textMap({ sftp: 'internal-sftp' }).meta(
    ours('Name to the path of one program. A given map replaces the default. `internal-sftp` is our own server.'),
  ),
  sftp: section({
    root: text().meta(ours('Folder of the sandbox that is the whole of it for SFTP and `scp -O`.')),
    readOnly: flag().meta(ours('Nothing can be written by SFTP and `scp -O`.')),
  }).meta(ours('Bounds of the subsystem `sftp`, for clients that may not run commands.')),
  exposeAuthMetadataAsEnv: flag().meta(
    ours('All metadata of the login become environment variables, sensitive ones too.'),
  ),
  metadataAsEnv: textMap().meta(ours('Metadata of the login that become environment variables: key to name.')),
  timeouts: section({
    unpack: duration(600_000, 1).meta(ours('Unpacking the archive of `rootfs`.')),
    start: perStep().meta(ours('From the login to a sandbox that is ready.')),
    stop: duration(10_000, 1).meta(ours('From the end of a session until nothing of it is left.')),
    commandStart: perStep().meta(ours('Starting a program.')),
    signal: perStep().meta(ours('Ending a helper of a connection that was forwarded.')),
  }).meta(ours('Time limits.')),
})
