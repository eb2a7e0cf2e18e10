/**
 * Numbers of system calls on x86-64 and arm64 (linux/unistd.h, as in golang.org/x/sys/unix). `undefined`: the architecture
 * has no such call.
 */
export type Architecture = 'x64' | 'arm64'
type Numbers = readonly [x64: number, arm64: number | undefined]

/**
 * What no program of a sandbox may do. Most of it the kernel refuses anyway to whoever has no capabilities; here it does so
 * before code runs that had mistakes before.
 */
export const refused: Readonly<Record<string, Numbers>> = {
  // Mounts and roots: the sandbox's file systems are what the daemon made of them.
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  move_mount: [429, 429],
  open_tree: [428, 428],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  mount_setattr: [442, 442],
  open_tree_attr: [467, 467],
  swapon: [167, 224],
  swapoff: [168, 225],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  acct: [163, 89],
  // Namespaces: `clone` is looked at more closely, `unshare` as well.
  setns: [308, 268],
  // Other processes: their memory, their descriptors.
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  process_madvise: [440, 440],
  pidfd_getfd: [438, 438],
  kcmp: [312, 272],
  // The kernel's keys belong to a user, not to a namespace.
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  // Programs and counters in the kernel, and ways into it that had more holes than others.
  bpf: [321, 280],
  perf_event_open: [298, 241],
  userfaultfd: [323, 282],
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  lookup_dcookie: [212, 18],
  // The kernel itself.
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  create_module: [174, undefined],
  get_kernel_syms: [177, undefined],
  query_module: [178, undefined],
  reboot: [169, 142],
  syslog: [103, 116],
  nfsservctl: [180, 42],
  _sysctl: [156, undefined],
  sysfs: [139, undefined],
  uselib: [134, undefined],
  ustat: [136, undefined],
  // Clocks and names of the machine, ports of its processor.
  settimeofday: [164, 170],
  clock_settime: [227, 112],
  clock_adjtime: [305, 266],
  adjtimex: [159, 171],
  sethostname: [170, 161],
  setdomainname: [171, 162],
  iopl: [172, undefined],
  ioperm: [173, undefined],
  vhangup: [153, 58],
  // Files by a handle: past every mount.
  open_by_handle_at: [304, 265],
  name_to_handle_at: [303, 264],
  fanotify_init: [300, 262],
  // Memory of other processors, which only slows down others.
  move_pages: [279, 239],
  migrate_pages: [256, 238],
  mbind: [237, 235],
  set_mempolicy: [238, 237],
  set_mempolicy_home_node: [450, 450],
}

/** What depends on an argument. */
export const examined = {
  clone: [56, 220],
  clone3: [435, 435],
  unshare: [272, 97],
  ioctl: [16, 29],
  socket: [41, 198],
} as const satisfies Readonly<Record<string, readonly [number, number]>>

export const numberOn = (architecture: Architecture, [x64, arm64]: Numbers): number | undefined =>
  architecture === 'x64' ? x64 : arm64
