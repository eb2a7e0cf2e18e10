/**
 * The objects of the Docker Engine API that a configuration may hold, under the API's own key names
 * (https://docs.docker.com/reference/api/engine/version/v1.47/#tag/Container/operation/ContainerCreate).
 * Keys match in any case; the names inside free maps (labels, sysctls, …) stay as written.
 */
import { api, apiObject } from './fields.ts'

const health = apiObject({
  Test: api.texts().describe('Command, as `[CMD, …]` or `[CMD-SHELL, text]`.'),
  Interval: api.nanoseconds().describe('Between checks.'),
  Timeout: api.nanoseconds().describe('For one check.'),
  Retries: api.number().describe('Failures in a row that count.'),
  StartPeriod: api.nanoseconds().describe('From the start, during which failures do not count.'),
  StartInterval: api.nanoseconds().describe('Between checks during that time.'),
})

export const containerConfig = apiObject({
  Hostname: api.text().describe('Host name.'),
  Domainname: api.text().describe('Domain name.'),
  User: api.text().describe('User and group of programs.'),
  AttachStdin: api.flag().describe('Set by the backend.'),
  AttachStdout: api.flag().describe('Set by the backend.'),
  AttachStderr: api.flag().describe('Set by the backend.'),
  ExposedPorts: api.foreign().describe('Ports, `port/protocol` to an empty object.'),
  Tty: api.flag().describe('Set by the backend.'),
  OpenStdin: api.flag().describe('Set by the backend.'),
  StdinOnce: api.flag().describe('Set by the backend.'),
  Env: api.texts().describe('Environment variables, `NAME=value`.'),
  Cmd: api.texts().describe('Runs for a shell in session mode if `shellCommand` is empty.'),
  Healthcheck: health.optional().describe('Health check.'),
  ArgsEscaped: api.flag().describe('Windows: the command is escaped.'),
  Image: api.text().describe('Image.'),
  Volumes: api.foreign().describe('Anonymous volumes, path to an empty object.'),
  WorkingDir: api.text().describe('Working directory.'),
  Entrypoint: api.texts().describe('Entry point of the container.'),
  NetworkDisabled: api.flag().describe('No network.'),
  MacAddress: api.text().describe('MAC address.'),
  OnBuild: api.texts().describe('Triggers of a build; of no use here.'),
  Labels: api.map().describe('Labels.'),
  StopSignal: api.text().describe('Signal that stops the container.'),
  StopTimeout: api.number(true).describe('Seconds until it is killed.'),
  Shell: api.texts().describe('Shell of a build; of no use here.'),
})

const weightDevice = apiObject({
  Path: api.text().describe('Path of the device.'),
  Weight: api.number().describe('Weight.'),
})
const throttleDevice = apiObject({
  Path: api.text().describe('Path of the device.'),
  Rate: api.number().describe('Rate.'),
})

/** In YAML files of the Go program these stand below `resources`. */
const resources = {
  CpuShares: api.number().describe('Weight of CPU time.'),
  Memory: api.number().describe('Memory, in bytes.'),
  NanoCpus: api.number().describe('CPUs, in billionths.'),
  CgroupParent: api.text().describe('Cgroup above that of the container.'),
  BlkioWeight: api.number().describe('Weight of block I/O, 10 to 1000.'),
  BlkioWeightDevice: api.list(weightDevice).describe('The same by device.'),
  BlkioDeviceReadBps: api.list(throttleDevice).describe('Bytes per second that are read, by device.'),
  BlkioDeviceWriteBps: api.list(throttleDevice).describe('Bytes per second that are written, by device.'),
  BlkioDeviceReadIOps: api.list(throttleDevice).describe('Reads per second, by device.'),
  BlkioDeviceWriteIOps: api.list(throttleDevice).describe('Writes per second, by device.'),
  CpuPeriod: api.number().describe('Microseconds of a period of CPU time.'),
  CpuQuota: api.number().describe('Microseconds of CPU time in a period.'),
  CpuRealtimePeriod: api.number().describe('Microseconds of a period, for realtime tasks.'),
  CpuRealtimeRuntime: api.number().describe('Microseconds in a period, for realtime tasks.'),
  CpusetCpus: api.text().describe('CPUs, e.g. `0-2,4`.'),
  CpusetMems: api.text().describe('Memory nodes, e.g. `0,1`.'),
  Devices: api
    .list(
      apiObject({
        PathOnHost: api.text().describe('Path on the host.'),
        PathInContainer: api.text().describe('Path in the container.'),
        CgroupPermissions: api.text().describe('Any of `r`, `w`, `m`.'),
      }),
    )
    .describe('Devices of the host.'),
  DeviceCgroupRules: api.texts().describe('Cgroup rules for devices.'),
  DeviceRequests: api
    .list(
      apiObject({
        Driver: api.text().describe('Driver.'),
        Count: api.number().describe('Number; -1: all.'),
        DeviceIDs: api.texts().describe('IDs of devices.'),
        Capabilities: api.list(api.texts().unwrap()).describe('What a device must be able to do, as lists.'),
        Options: api.map().describe('Options of the driver.'),
      }),
    )
    .describe('Devices of drivers, such as GPUs.'),
  KernelMemory: api.number().describe('Kernel memory, in bytes; old engines only.'),
  KernelMemoryTCP: api.number().describe('Kernel memory for TCP, in bytes; old engines only.'),
  MemoryReservation: api.number().describe('Memory below which nothing is taken back, in bytes.'),
  MemorySwap: api.number().describe('Memory and swap, in bytes; -1: no limit.'),
  MemorySwappiness: api.number(true).describe('How readily memory is swapped, 0 to 100.'),
  OomKillDisable: api.flag(true).describe('Programs are not killed when memory runs out.'),
  PidsLimit: api.number(true).describe('Processes; -1: no limit.'),
  Ulimits: api
    .list(
      apiObject({
        Name: api.text().describe('Name.'),
        Hard: api.number().describe('Hard limit.'),
        Soft: api.number().describe('Soft limit.'),
      }),
    )
    .describe('Limits of resources.'),
  CpuCount: api.number().describe('Windows: CPUs.'),
  CpuPercent: api.number().describe('Windows: per cent of CPU time.'),
  IOMaximumIOps: api.number().describe('Windows: I/O operations per second.'),
  IOMaximumBandwidth: api.number().describe('Windows: bytes of I/O per second.'),
}

const driver = { Name: api.text().describe('Name.'), Options: api.map().describe('Options of the driver.') }
const mount = apiObject({
  Type: api.text().describe('Type.'),
  Source: api.text().describe('Volume, or path of the host.'),
  Target: api.text().describe('Path in the container.'),
  ReadOnly: api.flag().describe('Cannot be written.'),
  Consistency: api.text().describe('Consistency.'),
  BindOptions: apiObject({
    Propagation: api.text().describe('Propagation.'),
    NonRecursive: api.flag().describe('Without mounts below.'),
    CreateMountpoint: api.flag().describe('Makes the path on the host.'),
    ReadOnlyNonRecursive: api.flag().describe('Mounts below can be written.'),
    ReadOnlyForceRecursive: api.flag().describe('Fails if mounts below could be written.'),
  })
    .optional()
    .describe('Options of binds.'),
  VolumeOptions: apiObject({
    NoCopy: api.flag().describe('Without the data of the image.'),
    Labels: api.map().describe('Labels.'),
    Subpath: api.text().describe('Path in it.'),
    DriverConfig: apiObject(driver).optional().describe('Driver of the volume.'),
  })
    .optional()
    .describe('Options of volumes.'),
  ImageOptions: apiObject({ Subpath: api.text().describe('Path in it.') })
    .optional()
    .describe('Options of images.'),
  TmpfsOptions: apiObject({
    SizeBytes: api.number().describe('Size, in bytes.'),
    Mode: api.number().describe('Mode, in decimal.'),
  })
    .optional()
    .describe('Options of file systems in memory.'),
})

export const hostConfig = apiObject(
  {
    Binds: api.texts().describe('Mounts, `source:target[:options]`.'),
    ContainerIDFile: api.text().describe('File that the engine writes the ID into.'),
    LogConfig: apiObject({ Type: api.text().describe('Type.'), Config: api.map().describe('Options of the driver.') })
      .optional()
      .describe('Log of the container; none by default.'),
    NetworkMode: api.text().describe('Network: `bridge`, `none`, `host`, or a name.'),
    PortBindings: api.foreign().describe('Ports of the host.'),
    RestartPolicy: apiObject({
      Name: api.text().describe('Name.'),
      MaximumRetryCount: api.number().describe('Restarts at most.'),
    })
      .optional()
      .describe('Restarts; in session mode only `no`.'),
    AutoRemove: api.flag().describe('The engine removes the container when it ends.'),
    VolumeDriver: api.text().describe('Driver of volumes.'),
    VolumesFrom: api.texts().describe('Containers whose volumes are mounted.'),
    ConsoleSize: api.list(api.number()).describe('Set by the backend.'),
    Annotations: api.map().describe('Annotations for the runtime.'),
    CapAdd: api.texts().describe('Capabilities to add.'),
    CapDrop: api.texts().describe('Capabilities to take away.'),
    CgroupnsMode: api.text().describe('Cgroup namespace: `private` or `host`.'),
    Dns: api.texts().describe('DNS servers.'),
    DnsOptions: api.texts().describe('Options of DNS.'),
    DnsSearch: api.texts().describe('Search domains.'),
    ExtraHosts: api.texts().describe('Lines of /etc/hosts, `name:address`.'),
    GroupAdd: api.texts().describe('Additional groups.'),
    IpcMode: api.text().describe('IPC namespace.'),
    Cgroup: api.text().describe('Cgroup.'),
    Links: api.texts().describe('Links to containers.'),
    OomScoreAdj: api.number().describe('How readily programs are killed when memory runs out.'),
    PidMode: api.text().describe('PID namespace.'),
    Privileged: api.flag().describe('All rights on the host: never for users whom you would not trust with it.'),
    PublishAllPorts: api.flag().describe('Publishes all exposed ports.'),
    ReadonlyRootfs: api.flag().describe('The root file system cannot be written.'),
    SecurityOpt: api.texts().describe('Security options, such as profiles.'),
    StorageOpt: api.map().describe('Options of the storage driver.'),
    Tmpfs: api.map().describe('File systems in memory, path to options.'),
    UTSMode: api.text().describe('UTS namespace.'),
    UsernsMode: api.text().describe('User namespace.'),
    ShmSize: api.number().describe('Size of /dev/shm, in bytes.'),
    Sysctls: api.map().describe('Kernel parameters.'),
    Runtime: api.text().describe('Runtime.'),
    Isolation: api.text().describe('Windows: isolation.'),
    Mounts: api.list(mount).describe('Mounts.'),
    MaskedPaths: api.texts().describe('Paths that are hidden.'),
    ReadonlyPaths: api.texts().describe('Paths that cannot be written.'),
    Init: api.flag(true).describe('Runs an init process.'),
    ...resources,
  },
  { inline: 'resources' },
)

const endpoint = apiObject({
  IPAMConfig: apiObject({
    IPv4Address: api.text().describe('IPv4 address.'),
    IPv6Address: api.text().describe('IPv6 address.'),
    LinkLocalIPs: api.texts().describe('Link-local addresses.'),
  })
    .optional()
    .describe('Addresses.'),
  Links: api.texts().describe('Links to containers.'),
  MacAddress: api.text().describe('MAC address.'),
  Aliases: api.texts().describe('Further names of the container.'),
  DriverOpts: api.map().describe('Options of the driver.'),
  GwPriority: api.number().describe('Priority of the gateway.'),
  NetworkID: api.text().describe('Set by the engine.'),
  EndpointID: api.text().describe('Set by the engine.'),
  Gateway: api.text().describe('Set by the engine.'),
  IPAddress: api.text().describe('Set by the engine.'),
  IPPrefixLen: api.number().describe('Set by the engine.'),
  IPv6Gateway: api.text().describe('Set by the engine.'),
  GlobalIPv6Address: api.text().describe('Set by the engine.'),
  GlobalIPv6PrefixLen: api.number().describe('Set by the engine.'),
  DNSNames: api.texts().describe('Set by the engine.'),
})

/** `EndpointsConfig`: network name to endpoint. */
export const networkingConfig = apiObject({ EndpointsConfig: api.mapOf(endpoint).describe('Networks, by name.') })

/** Keys as in the image specification; sent as one query parameter. */
export const platform = apiObject(
  {
    architecture: api.text().describe('Architecture, e.g. `amd64`.'),
    os: api.text().describe('Operating system, e.g. `linux`.'),
    osversion: api.text().describe('Version of the operating system.'),
    osfeatures: api.texts().describe('Features of the operating system.'),
    variant: api.text().describe('Variant, e.g. `v7`.'),
  },
  { aliases: { 'os.version': 'osversion', 'os.features': 'osfeatures' } },
)

/** Credentials for the registry; the key names are those of the X-Registry-Auth header. */
export const registryAuth = apiObject({
  username: api.text().describe('User name.'),
  password: api.secret().describe('Password.'),
  auth: api.secret().describe('Base64 of user name and password.'),
  email: api.text().describe('E-mail address.'),
  serveraddress: api.text().describe('Registry.'),
  identitytoken: api.secret().describe('Identity token.'),
  registrytoken: api.secret().describe('Registry token.'),
})
