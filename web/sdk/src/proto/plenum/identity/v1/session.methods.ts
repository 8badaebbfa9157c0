// Generated from plenum/identity/v1/session.proto by methods.mjs. Do not edit.
import { method } from '../../../../method.ts'
import { DescribeLinkRequest, DescribeLinkResponse, ExchangeSecretRequest, ExchangeSecretResponse, JoinRequest, JoinResponse, RefreshRequest, RefreshResponse, SetUpRequest, SetUpResponse, SignInRequest, SignInResponse, SignOutRequest, SignOutResponse, UseResetRequest, UseResetResponse } from './session.ts'

export const describeLink = /* @__PURE__ */ method('plenum.identity.v1.SessionService/DescribeLink', 'read', DescribeLinkRequest, DescribeLinkResponse)
export const setUp = /* @__PURE__ */ method('plenum.identity.v1.SessionService/SetUp', 'once', SetUpRequest, SetUpResponse)
export const join = /* @__PURE__ */ method('plenum.identity.v1.SessionService/Join', 'once', JoinRequest, JoinResponse)
export const useReset = /* @__PURE__ */ method('plenum.identity.v1.SessionService/UseReset', 'once', UseResetRequest, UseResetResponse)
export const signIn = /* @__PURE__ */ method('plenum.identity.v1.SessionService/SignIn', 'once', SignInRequest, SignInResponse)
export const refresh = /* @__PURE__ */ method('plenum.identity.v1.SessionService/Refresh', 'once', RefreshRequest, RefreshResponse)
export const signOut = /* @__PURE__ */ method('plenum.identity.v1.SessionService/SignOut', 'once', SignOutRequest, SignOutResponse)
export const exchangeSecret = /* @__PURE__ */ method('plenum.identity.v1.SessionService/ExchangeSecret', 'once', ExchangeSecretRequest, ExchangeSecretResponse)
