// Generated from plenum/identity/v1/admin.proto by methods.mjs. Do not edit.
import { method } from '../../../../method.ts'
import { ChangeGroupMembersRequest, ChangeGroupMembersResponse, ChangeRoleRequest, ChangeRoleResponse, CreateGroupRequest, CreateGroupResponse, CreateServiceAccountRequest, CreateServiceAccountResponse, DeleteGroupRequest, DeleteGroupResponse, InviteRequest, InviteResponse, ListAuditRequest, ListAuditResponse, ListInvitationsRequest, ListInvitationsResponse, ResetPasswordRequest, ResetPasswordResponse, RevokeDevicesRequest, RevokeDevicesResponse, RevokeInvitationRequest, RevokeInvitationResponse, RotateServiceSecretRequest, RotateServiceSecretResponse, SeedRequest, SeedResponse, SetActiveRequest, SetActiveResponse, UpdateGroupRequest, UpdateGroupResponse, UpdateWorkspaceRequest, UpdateWorkspaceResponse, VerifyAuditRequest, VerifyAuditResponse } from './admin.ts'

export const invite = /* @__PURE__ */ method('plenum.identity.v1.AdminService/Invite', 'change', InviteRequest, InviteResponse)
export const listInvitations = /* @__PURE__ */ method('plenum.identity.v1.AdminService/ListInvitations', 'read', ListInvitationsRequest, ListInvitationsResponse)
export const revokeInvitation = /* @__PURE__ */ method('plenum.identity.v1.AdminService/RevokeInvitation', 'change', RevokeInvitationRequest, RevokeInvitationResponse)
export const changeRole = /* @__PURE__ */ method('plenum.identity.v1.AdminService/ChangeRole', 'change', ChangeRoleRequest, ChangeRoleResponse)
export const setActive = /* @__PURE__ */ method('plenum.identity.v1.AdminService/SetActive', 'change', SetActiveRequest, SetActiveResponse)
export const revokeDevices = /* @__PURE__ */ method('plenum.identity.v1.AdminService/RevokeDevices', 'change', RevokeDevicesRequest, RevokeDevicesResponse)
export const resetPassword = /* @__PURE__ */ method('plenum.identity.v1.AdminService/ResetPassword', 'change', ResetPasswordRequest, ResetPasswordResponse)
export const createGroup = /* @__PURE__ */ method('plenum.identity.v1.AdminService/CreateGroup', 'change', CreateGroupRequest, CreateGroupResponse)
export const updateGroup = /* @__PURE__ */ method('plenum.identity.v1.AdminService/UpdateGroup', 'change', UpdateGroupRequest, UpdateGroupResponse)
export const changeGroupMembers = /* @__PURE__ */ method('plenum.identity.v1.AdminService/ChangeGroupMembers', 'change', ChangeGroupMembersRequest, ChangeGroupMembersResponse)
export const deleteGroup = /* @__PURE__ */ method('plenum.identity.v1.AdminService/DeleteGroup', 'change', DeleteGroupRequest, DeleteGroupResponse)
export const createServiceAccount = /* @__PURE__ */ method('plenum.identity.v1.AdminService/CreateServiceAccount', 'change', CreateServiceAccountRequest, CreateServiceAccountResponse)
export const rotateServiceSecret = /* @__PURE__ */ method('plenum.identity.v1.AdminService/RotateServiceSecret', 'change', RotateServiceSecretRequest, RotateServiceSecretResponse)
export const seed = /* @__PURE__ */ method('plenum.identity.v1.AdminService/Seed', 'change', SeedRequest, SeedResponse)
export const updateWorkspace = /* @__PURE__ */ method('plenum.identity.v1.AdminService/UpdateWorkspace', 'change', UpdateWorkspaceRequest, UpdateWorkspaceResponse)
export const listAudit = /* @__PURE__ */ method('plenum.identity.v1.AdminService/ListAudit', 'read', ListAuditRequest, ListAuditResponse)
export const verifyAudit = /* @__PURE__ */ method('plenum.identity.v1.AdminService/VerifyAudit', 'read', VerifyAuditRequest, VerifyAuditResponse)
