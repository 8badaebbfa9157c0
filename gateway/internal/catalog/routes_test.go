package catalog

import (
	"net/url"
	"slices"
	"testing"

	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Of claims that conflict one is granted, the same in whatever order they are learned; what may not be claimed is refused.
func TestConflictingRoutes(t *testing.T) {
	claims := []claim{
		{"files", true, &edgev1.HttpRoute{Prefix: "/files/", Exposure: edgev1.Exposure_EXPOSURE_USER}},
		{"files", true, &edgev1.HttpRoute{Prefix: "/files/open/", Exposure: edgev1.Exposure_EXPOSURE_PUBLIC}}, // its own: the longest counts
		{"files", true, &edgev1.HttpRoute{Prefix: "/files/", Exposure: edgev1.Exposure_EXPOSURE_PUBLIC}},      // twice
		{"sfu", true, &edgev1.HttpRoute{Prefix: "/files/calls/", Exposure: edgev1.Exposure_EXPOSURE_USER}},    // within another's
		{"docs", true, &edgev1.HttpRoute{Prefix: "/", Exposure: edgev1.Exposure_EXPOSURE_USER}},
		{"docs", true, &edgev1.HttpRoute{Prefix: "/edge/x/", Exposure: edgev1.Exposure_EXPOSURE_USER}},
		{"docs", true, &edgev1.HttpRoute{Prefix: "/plenum.chat.v1.ChatService/", Exposure: edgev1.Exposure_EXPOSURE_USER}},
		{"docs", true, &edgev1.HttpRoute{Prefix: "/docs", Exposure: edgev1.Exposure_EXPOSURE_USER}},
		{"docs", true, &edgev1.HttpRoute{Prefix: "/docs/../x/", Exposure: edgev1.Exposure_EXPOSURE_USER}},
		{"docs", true, &edgev1.HttpRoute{Prefix: "/docs/", Exposure: edgev1.Exposure_EXPOSURE_UNSPECIFIED}},
		{"docs", false, &edgev1.HttpRoute{Prefix: "/docs/", Exposure: edgev1.Exposure_EXPOSURE_USER}},
	}
	for range 2 {
		c, _ := Build()
		if faults := c.settle(slices.Clone(claims)); len(faults) != len(claims)-2 || c.Routes() != 2 {
			t.Errorf("%d routes, and %v", c.Routes(), faults)
		}
		for path, want := range map[string]string{"/files/a": "/files/", "/files/open/a": "/files/open/", "/files": "", "/filesx/": "", "/": ""} {
			route, err := c.Route(&url.URL{Path: path})
			if got := ""; err != nil || route != nil && route.Prefix != want || route == nil && want != got {
				t.Errorf("%s: %v, %v", path, route, err)
			}
		}
		slices.Reverse(claims[3:])
	}
}

// Whatever a path looks like: what comes by one route's rules is in no other route once it is decoded and cleaned.
func FuzzFind(f *testing.F) {
	prefixes := rpc.Prefixes{"/a/", "/a/open/", "/b/"}
	for _, s := range []string{"/a/x", "/a/open/../x", "/a/open/%2e%2e/x", "/a%2fopen/x", "//a/x", "/a/./open/x", "/b/..\\a/x", "/a/open//x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := url.ParseRequestURI(raw)
		if err != nil {
			return
		}
		found, err := prefixes.Find(u)
		if err != nil {
			return
		}
		again, err := prefixes.Find(&url.URL{Path: u.Path})
		if err == nil && again != found {
			t.Errorf("%q is of %q, and decoded of %q", raw, found, again)
		}
		cleaned, err := prefixes.Find((&url.URL{Path: u.Path}).JoinPath())
		if err == nil && found != "" && cleaned != found {
			t.Errorf("%q is of %q, and cleaned of %q", raw, found, cleaned)
		}
	})
}
