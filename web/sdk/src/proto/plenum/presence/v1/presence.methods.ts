// Generated from plenum/presence/v1/presence.proto by methods.mjs. Do not edit.
import { method } from '../../../../method.ts'
import { ClearActivitiesRequest, ClearActivitiesResponse, GetAnalyticsRequest, GetAnalyticsResponse, GetPrivacyRequest, GetPrivacyResponse, GetStatusRequest, GetStatusResponse, ListActivitiesRequest, ListActivitiesResponse, ListLastSeenRequest, ListLastSeenResponse, SetActivityRequest, SetActivityResponse, SetPrivacyRequest, SetPrivacyResponse, SetStatusRequest, SetStatusResponse } from './presence.ts'

export const setStatus = /* @__PURE__ */ method('plenum.presence.v1.PresenceService/SetStatus', 'change', SetStatusRequest, SetStatusResponse)
export const getStatus = /* @__PURE__ */ method('plenum.presence.v1.PresenceService/GetStatus', 'read', GetStatusRequest, GetStatusResponse)
export const setActivity = /* @__PURE__ */ method('plenum.presence.v1.PresenceService/SetActivity', 'change', SetActivityRequest, SetActivityResponse)
export const listActivities = /* @__PURE__ */ method('plenum.presence.v1.PresenceService/ListActivities', 'read', ListActivitiesRequest, ListActivitiesResponse)
export const clearActivities = /* @__PURE__ */ method('plenum.presence.v1.PresenceService/ClearActivities', 'change', ClearActivitiesRequest, ClearActivitiesResponse)
export const setPrivacy = /* @__PURE__ */ method('plenum.presence.v1.PresenceService/SetPrivacy', 'change', SetPrivacyRequest, SetPrivacyResponse)
export const getPrivacy = /* @__PURE__ */ method('plenum.presence.v1.PresenceService/GetPrivacy', 'read', GetPrivacyRequest, GetPrivacyResponse)
export const listLastSeen = /* @__PURE__ */ method('plenum.presence.v1.PresenceService/ListLastSeen', 'read', ListLastSeenRequest, ListLastSeenResponse)
export const getAnalytics = /* @__PURE__ */ method('plenum.presence.v1.PresenceService/GetAnalytics', 'read', GetAnalyticsRequest, GetAnalyticsResponse)
