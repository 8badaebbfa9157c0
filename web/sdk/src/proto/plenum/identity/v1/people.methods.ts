// Generated from plenum/identity/v1/people.proto by methods.mjs. Do not edit.
import { method } from '../../../../method.ts'
import { ChangePasswordRequest, ChangePasswordResponse, GetPeopleRequest, GetPeopleResponse, GetTicketRequest, GetTicketResponse, ListDevicesRequest, ListDevicesResponse, ListGroupsRequest, ListGroupsResponse, ListPeopleRequest, ListPeopleResponse, RevokeDeviceRequest, RevokeDeviceResponse, UpdateProfileRequest, UpdateProfileResponse, WhoAmIRequest, WhoAmIResponse } from './people.ts'

export const whoAmI = /* @__PURE__ */ method('plenum.identity.v1.PeopleService/WhoAmI', 'read', WhoAmIRequest, WhoAmIResponse)
export const getPeople = /* @__PURE__ */ method('plenum.identity.v1.PeopleService/GetPeople', 'read', GetPeopleRequest, GetPeopleResponse)
export const listPeople = /* @__PURE__ */ method('plenum.identity.v1.PeopleService/ListPeople', 'read', ListPeopleRequest, ListPeopleResponse)
export const listGroups = /* @__PURE__ */ method('plenum.identity.v1.PeopleService/ListGroups', 'read', ListGroupsRequest, ListGroupsResponse)
export const updateProfile = /* @__PURE__ */ method('plenum.identity.v1.PeopleService/UpdateProfile', 'change', UpdateProfileRequest, UpdateProfileResponse)
export const changePassword = /* @__PURE__ */ method('plenum.identity.v1.PeopleService/ChangePassword', 'change', ChangePasswordRequest, ChangePasswordResponse)
export const getTicket = /* @__PURE__ */ method('plenum.identity.v1.PeopleService/GetTicket', 'read', GetTicketRequest, GetTicketResponse)
export const listDevices = /* @__PURE__ */ method('plenum.identity.v1.PeopleService/ListDevices', 'read', ListDevicesRequest, ListDevicesResponse)
export const revokeDevice = /* @__PURE__ */ method('plenum.identity.v1.PeopleService/RevokeDevice', 'change', RevokeDeviceRequest, RevokeDeviceResponse)
