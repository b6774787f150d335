/** Kinds of subjects as Kubernetes RBAC names them. */
export enum RbacSubjectKind {
  /** A Kubernetes service account. */
  SERVICE_ACCOUNT = "ServiceAccount",
  /** A person or a Google service account. */
  USER = "User",
  /** A group of users. */
  GROUP = "Group",
}

/** Somebody whom Kubernetes RBAC can give rights to. https://kubernetes.io/docs/reference/access-authn-authz/rbac/ */
export class RbacSubject {
  /** A Kubernetes service account; it may be created later, or by other means. */
  public static serviceAccount(name: string, namespace: string): RbacSubject {
    return new RbacSubject(RbacSubjectKind.SERVICE_ACCOUNT, name, namespace);
  }

  /**
   * A user. On GKE that is a Google identity, by its email: `ada@example.com`, or the email of a Google service account.
   * https://cloud.google.com/kubernetes-engine/docs/how-to/role-based-access-control
   */
  public static user(name: string): RbacSubject {
    return new RbacSubject(RbacSubjectKind.USER, name);
  }

  /**
   * A group. On GKE that is a Google group, by its email, which must be a member of the cluster's `securityGroup`.
   * https://cloud.google.com/kubernetes-engine/docs/how-to/google-groups-rbac
   */
  public static group(name: string): RbacSubject {
    return new RbacSubject(RbacSubjectKind.GROUP, name);
  }

  private constructor(
    /** The kind of subject. */
    public readonly kind: RbacSubjectKind,
    /** Its name: of a service account, or an email. */
    public readonly subjectName: string,
    /** Namespace of a service account; none otherwise. */
    public readonly namespace?: string,
  ) {}
}
