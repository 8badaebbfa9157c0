package catalog

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Route is a prefix of paths whose requests one service answers.
type Route struct {
	Terms

	Prefix   string // begins and ends with a slash
	Service  string // that serves it: "files"
	Isolated bool   // carries what users made: has an origin without cookies
}

// claim is a route that a service wants.
type claim struct {
	service string
	own     bool // it stands in the service's own package
	*edgev1.HttpRoute
}

func claimsOf(service string, sd protoreflect.ServiceDescriptor) (claims []claim) {
	options, _ := proto.GetExtension(sd.Options(), edgev1.E_Service).(*edgev1.ServiceEdge)
	for _, r := range options.GetRoutes() {
		claims = append(claims, claim{service, owns(service, sd), r})
	}
	return claims
}

// settle grants the claims that can be granted. Of two services that want the same paths the one whose name comes first has them, in
// whatever order they were learned.
func (c *Catalog) settle(claims []claim) (faults []error) {
	slices.SortStableFunc(claims, func(a, b claim) int {
		return cmp.Or(strings.Compare(a.service, b.service), strings.Compare(a.GetPrefix(), b.GetPrefix()))
	})
	for _, x := range claims {
		if fault := c.refuses(x); fault != "" {
			faults = append(faults, fmt.Errorf("%s claims the path %q, %s", x.service, x.GetPrefix(), fault))
			continue
		}
		c.prefixes = append(c.prefixes, x.GetPrefix())
		c.routes[x.GetPrefix()] = &Route{
			Prefix: x.GetPrefix(), Service: x.service, Isolated: x.GetIsolated(),
			Terms: Terms{x.GetExposure() == edgev1.Exposure_EXPOSURE_PUBLIC, x.GetRate(), 1},
		}
	}
	return faults
}

// refuses says what is wrong with a claim; empty: nothing.
func (c *Catalog) refuses(x claim) string {
	prefix := x.GetPrefix()
	first, _, _ := strings.Cut(strings.TrimPrefix(prefix, "/"), "/")
	switch {
	case !x.own:
		return "which is not an option of its package"
	case !rpc.ValidPrefix(prefix):
		return "which is no prefix: it begins and ends with a slash, with letters, digits and -._~ in between"
	case first == "edge" || first == "livez" || first == "readyz":
		return "which is the edge's"
	case strings.Contains(first, ".") && !strings.HasPrefix(first, "."): // /.well-known/ is no service's name
		return "where calls are: its first part has a dot"
	case x.GetExposure() == edgev1.Exposure_EXPOSURE_UNSPECIFIED:
		return "and does not say who may use it"
	}
	for _, other := range c.prefixes {
		r := c.routes[other]
		nested := strings.HasPrefix(other, prefix) || strings.HasPrefix(prefix, other)
		if other == prefix || nested && r.Service != x.service {
			return fmt.Sprintf("which conflicts with %q of %s", other, r.Service)
		}
	}
	return ""
}

// Route finds the route of a path, or returns nil. Paths that could be taken for one of another route are refused.
func (c *Catalog) Route(u *url.URL) (*Route, error) {
	prefix, err := c.prefixes.Find(u)
	return c.routes[prefix], err //nolint:wrapcheck // numbered
}

// Routes is the number of routes.
func (c *Catalog) Routes() int { return len(c.routes) }
