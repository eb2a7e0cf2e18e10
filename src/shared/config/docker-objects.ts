/**
 * The objects of the Docker Engine API that a configuration may hold, under the API's own key names
 * (https://docs.docker.com/reference/api/engine/version/v1.47/#tag/Container/operation/ContainerCreate).
 * Keys match in any case; the names inside free maps (labels, sysctls, …) stay as written.
 */
import { api, apiObject } from './fields.ts'

const health = apiObject({
  Test: api.texts(),
  Interval: api.nanoseconds(),
  Timeout: api.nanoseconds(),
  Retries: api.number(),
  StartPeriod: api.nanoseconds(),
  StartInterval: api.nanoseconds(),
})

export const containerConfig = apiObject({
  Hostname: api.text(),
  Domainname: api.text(),
  User: api.text(),
  AttachStdin: api.flag(),
  AttachStdout: api.flag(),
  AttachStderr: api.flag(),
  ExposedPorts: api.foreign(),
  Tty: api.flag(),
  OpenStdin: api.flag(),
  StdinOnce: api.flag(),
  Env: api.texts(),
  Cmd: api.texts(),
  Healthcheck: health.optional(),
  ArgsEscaped: api.flag(),
  Image: api.text(),
  Volumes: api.foreign(),
  WorkingDir: api.text(),
  Entrypoint: api.texts(),
  NetworkDisabled: api.flag(),
  MacAddress: api.text(),
  OnBuild: api.texts(),
  Labels: api.map(),
  StopSignal: api.text(),
  StopTimeout: api.number(true),
  Shell: api.texts(),
})

const weightDevice = apiObject({ Path: api.text(), Weight: api.number() })
const throttleDevice = apiObject({ Path: api.text(), Rate: api.number() })

/** In YAML files of the Go program these stand below `resources`. */
const resources = {
  CpuShares: api.number(),
  Memory: api.number(),
  NanoCpus: api.number(),
  CgroupParent: api.text(),
  BlkioWeight: api.number(),
  BlkioWeightDevice: api.list(weightDevice),
  BlkioDeviceReadBps: api.list(throttleDevice),
  BlkioDeviceWriteBps: api.list(throttleDevice),
  BlkioDeviceReadIOps: api.list(throttleDevice),
  BlkioDeviceWriteIOps: api.list(throttleDevice),
  CpuPeriod: api.number(),
  CpuQuota: api.number(),
  CpuRealtimePeriod: api.number(),
  CpuRealtimeRuntime: api.number(),
  CpusetCpus: api.text(),
  CpusetMems: api.text(),
  Devices: api.list(apiObject({ PathOnHost: api.text(), PathInContainer: api.text(), CgroupPermissions: api.text() })),
  DeviceCgroupRules: api.texts(),
  DeviceRequests: api.list(
    apiObject({
      Driver: api.text(),
      Count: api.number(),
      DeviceIDs: api.texts(),
      Capabilities: api.list(api.texts().unwrap()),
      Options: api.map(),
    }),
  ),
  KernelMemory: api.number(),
  KernelMemoryTCP: api.number(),
  MemoryReservation: api.number(),
  MemorySwap: api.number(),
  MemorySwappiness: api.number(true),
  OomKillDisable: api.flag(true),
  PidsLimit: api.number(true),
  Ulimits: api.list(apiObject({ Name: api.text(), Hard: api.number(), Soft: api.number() })),
  CpuCount: api.number(),
  CpuPercent: api.number(),
  IOMaximumIOps: api.number(),
  IOMaximumBandwidth: api.number(),
}

const driver = { Name: api.text(), Options: api.map() }
const mount = apiObject({
  Type: api.text(),
  Source: api.text(),
  Target: api.text(),
  ReadOnly: api.flag(),
  Consistency: api.text(),
  BindOptions: apiObject({
    Propagation: api.text(),
    NonRecursive: api.flag(),
    CreateMountpoint: api.flag(),
    ReadOnlyNonRecursive: api.flag(),
    ReadOnlyForceRecursive: api.flag(),
  }).optional(),
  VolumeOptions: apiObject({
    NoCopy: api.flag(),
    Labels: api.map(),
    Subpath: api.text(),
    DriverConfig: apiObject(driver).optional(),
  }).optional(),
  ImageOptions: apiObject({ Subpath: api.text() }).optional(),
  TmpfsOptions: apiObject({ SizeBytes: api.number(), Mode: api.number() }).optional(),
})

export const hostConfig = apiObject(
  {
    Binds: api.texts(),
    ContainerIDFile: api.text(),
    LogConfig: apiObject({ Type: api.text(), Config: api.map() }).optional(),
    NetworkMode: api.text(),
    PortBindings: api.foreign(),
    RestartPolicy: apiObject({ Name: api.text(), MaximumRetryCount: api.number() }).optional(),
    AutoRemove: api.flag(),
    VolumeDriver: api.text(),
    VolumesFrom: api.texts(),
    ConsoleSize: api.list(api.number()),
    Annotations: api.map(),
    CapAdd: api.texts(),
    CapDrop: api.texts(),
    CgroupnsMode: api.text(),
    Dns: api.texts(),
    DnsOptions: api.texts(),
    DnsSearch: api.texts(),
    ExtraHosts: api.texts(),
    GroupAdd: api.texts(),
    IpcMode: api.text(),
    Cgroup: api.text(),
    Links: api.texts(),
    OomScoreAdj: api.number(),
    PidMode: api.text(),
    Privileged: api.flag(),
    PublishAllPorts: api.flag(),
    ReadonlyRootfs: api.flag(),
    SecurityOpt: api.texts(),
    StorageOpt: api.map(),
    Tmpfs: api.map(),
    UTSMode: api.text(),
    UsernsMode: api.text(),
    ShmSize: api.number(),
    Sysctls: api.map(),
    Runtime: api.text(),
    Isolation: api.text(),
    Mounts: api.list(mount),
    MaskedPaths: api.texts(),
    ReadonlyPaths: api.texts(),
    Init: api.flag(true),
    ...resources,
  },
  { inline: 'resources' },
)

const endpoint = apiObject({
  IPAMConfig: apiObject({ IPv4Address: api.text(), IPv6Address: api.text(), LinkLocalIPs: api.texts() }).optional(),
  Links: api.texts(),
  MacAddress: api.text(),
  Aliases: api.texts(),
  DriverOpts: api.map(),
  GwPriority: api.number(),
  NetworkID: api.text(),
  EndpointID: api.text(),
  Gateway: api.text(),
  IPAddress: api.text(),
  IPPrefixLen: api.number(),
  IPv6Gateway: api.text(),
  GlobalIPv6Address: api.text(),
  GlobalIPv6PrefixLen: api.number(),
  DNSNames: api.texts(),
})

/** `EndpointsConfig`: network name to endpoint. */
export const networkingConfig = apiObject({ EndpointsConfig: api.mapOf(endpoint) })

/** Keys as in the image specification; sent as one query parameter. */
export const platform = apiObject(
  {
    architecture: api.text(),
    os: api.text(),
    osversion: api.text(),
    osfeatures: api.texts(),
    variant: api.text(),
  },
  { aliases: { 'os.version': 'osversion', 'os.features': 'osfeatures' } },
)

/** Credentials for the registry; the key names are those of the X-Registry-Auth header. */
export const registryAuth = apiObject({
  username: api.text(),
  password: api.secret(),
  auth: api.secret(),
  email: api.text(),
  serveraddress: api.text(),
  identitytoken: api.secret(),
  registrytoken: api.secret(),
})
