/**
 * The request messages of the IAM and IAM Credentials (revision 20250718), Resource Manager (20250606) and Service Usage (20250619)
 * APIs, written as in container-messages.ts. IAM and Resource Manager share the policy messages.
 */
export const CLOUD_MESSAGES = `
AuditConfig
  auditLogConfigs:[]AuditLogConfig service:string
AuditLogConfig
  exemptedMembers:[]string logType:(LOG_TYPE_UNSPECIFIED|ADMIN_READ|DATA_WRITE|DATA_READ)
Binding
  condition:Expr members:[]string role:string
CreateServiceAccountRequest
  accountId:string serviceAccount:ServiceAccount
DisableServiceAccountRequest
EnableServiceAccountRequest
GenerateAccessTokenRequest
  delegates:[]string lifetime:string scope:[]string
Expr
  description:string expression:string location:string title:string
PatchServiceAccountRequest
  serviceAccount:ServiceAccount updateMask:string
Policy
  auditConfigs:[]AuditConfig bindings:[]Binding etag:string version:int32
ServiceAccount
  description:string disabled:boolean displayName:string email:string etag:string name:string
  oauth2ClientId:string projectId:string uniqueId:string
SetIamPolicyRequest
  policy:Policy updateMask:string
GetIamPolicyRequest
  options:GetPolicyOptions
GetPolicyOptions
  requestedPolicyVersion:int32
BatchEnableServicesRequest
  serviceIds:[]string
DisableServiceRequest
  checkIfServiceHasUsage:(CHECK_IF_SERVICE_HAS_USAGE_UNSPECIFIED|SKIP|CHECK)
  disableDependentServices:boolean
EnableServiceRequest
`;

/** The request messages of the Cloud Storage JSON API (revision 20250718). */
export const STORAGE_MESSAGES = `
Bucket
  acl:[]BucketAccessControl autoclass:BucketAutoclass billing:BucketBilling cors:[]BucketCors
  customPlacementConfig:BucketCustomPlacementConfig defaultEventBasedHold:boolean
  defaultObjectAcl:[]ObjectAccessControl encryption:BucketEncryption etag:string generation:int64
  hardDeleteTime:string hierarchicalNamespace:BucketHierarchicalNamespace
  iamConfiguration:BucketIamConfiguration id:string ipFilter:BucketIpFilter kind:string labels:{}string
  lifecycle:BucketLifecycle location:string locationType:string logging:BucketLogging metageneration:int64
  name:string objectRetention:BucketObjectRetention owner:BucketOwner projectNumber:int64
  retentionPolicy:BucketRetentionPolicy rpo:string satisfiesPZI:boolean satisfiesPZS:boolean
  selfLink:string softDeletePolicy:BucketSoftDeletePolicy softDeleteTime:string storageClass:string
  timeCreated:string updated:string versioning:BucketVersioning website:BucketWebsite
BucketAccessControl
  bucket:string domain:string email:string entity:string entityId:string etag:string id:string kind:string
  projectTeam:BucketAccessControlProjectTeam role:string selfLink:string
BucketAccessControlProjectTeam
  projectNumber:string team:string
BucketAutoclass
  enabled:boolean terminalStorageClass:string terminalStorageClassUpdateTime:string toggleTime:string
BucketBilling
  requesterPays:boolean
BucketCors
  maxAgeSeconds:int32 method:[]string origin:[]string responseHeader:[]string
BucketCustomPlacementConfig
  dataLocations:[]string
BucketEncryption
  customerManagedEncryptionEnforcementConfig:BucketEncryptionCustomerManagedEncryptionEnforcementConfig
  customerSuppliedEncryptionEnforcementConfig:BucketEncryptionCustomerSuppliedEncryptionEnforcementConfig
  defaultKmsKeyName:string
  googleManagedEncryptionEnforcementConfig:BucketEncryptionGoogleManagedEncryptionEnforcementConfig
BucketEncryptionCustomerManagedEncryptionEnforcementConfig
  effectiveTime:string restrictionMode:(NotRestricted|FullyRestricted)
BucketEncryptionCustomerSuppliedEncryptionEnforcementConfig
  effectiveTime:string restrictionMode:(NotRestricted|FullyRestricted)
BucketEncryptionGoogleManagedEncryptionEnforcementConfig
  effectiveTime:string restrictionMode:(NotRestricted|FullyRestricted)
BucketHierarchicalNamespace
  enabled:boolean
BucketIamConfiguration
  bucketPolicyOnly:BucketIamConfigurationBucketPolicyOnly publicAccessPrevention:string
  uniformBucketLevelAccess:BucketIamConfigurationUniformBucketLevelAccess
BucketIamConfigurationBucketPolicyOnly
  enabled:boolean lockedTime:string
BucketIamConfigurationUniformBucketLevelAccess
  enabled:boolean lockedTime:string
BucketIpFilter
  allowAllServiceAgentAccess:boolean allowCrossOrgVpcs:boolean mode:string
  publicNetworkSource:BucketIpFilterPublicNetworkSource vpcNetworkSources:[]BucketIpFilterVpcNetworkSources
BucketIpFilterPublicNetworkSource
  allowedIpCidrRanges:[]string
BucketIpFilterVpcNetworkSources
  allowedIpCidrRanges:[]string network:string
BucketLifecycle
  rule:[]BucketLifecycleRule
BucketLifecycleRule
  action:BucketLifecycleRuleAction condition:BucketLifecycleRuleCondition
BucketLifecycleRuleAction
  storageClass:string type:string
BucketLifecycleRuleCondition
  age:int32 createdBefore:string customTimeBefore:string daysSinceCustomTime:int32
  daysSinceNoncurrentTime:int32 isLive:boolean matchesPattern:string matchesPrefix:[]string
  matchesStorageClass:[]string matchesSuffix:[]string noncurrentTimeBefore:string numNewerVersions:int32
BucketLogging
  logBucket:string logObjectPrefix:string
BucketObjectRetention
  mode:string
BucketOwner
  entity:string entityId:string
BucketRetentionPolicy
  effectiveTime:string isLocked:boolean retentionPeriod:int64
BucketSoftDeletePolicy
  effectiveTime:string retentionDurationSeconds:int64
BucketVersioning
  enabled:boolean
BucketWebsite
  mainPageSuffix:string notFoundPage:string
ObjectAccessControl
  bucket:string domain:string email:string entity:string entityId:string etag:string generation:int64
  id:string kind:string object:string projectTeam:ObjectAccessControlProjectTeam role:string
  selfLink:string
ObjectAccessControlProjectTeam
  projectNumber:string team:string
BucketPolicy
  bindings:[]BucketPolicyBinding etag:string kind:string resourceId:string version:int32
BucketPolicyBinding
  condition:Expr members:[]string role:string
`;
