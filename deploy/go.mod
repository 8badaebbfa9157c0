module plenum.internal/deploy

go 1.26.0

require (
	plenum.internal/proto v0.0.0
	plenum.internal/mesh v0.0.0
	plenum.internal/gateway v0.0.0
	plenum.internal/chat v0.0.0
	plenum.internal/services/identity v0.0.0
	plenum.internal/client v0.0.0
)

replace (
	plenum.internal/proto => ../proto
	plenum.internal/mesh => ../mesh
	plenum.internal/gateway => ../gateway
	plenum.internal/chat => ../chat
	plenum.internal/services/identity => ../services/identity
	plenum.internal/client => ../client
)
