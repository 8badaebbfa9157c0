module plenum.internal/chat

go 1.26.0

require (
	plenum.internal/proto v0.0.0
	plenum.internal/mesh v0.0.0
)

replace (
	plenum.internal/proto => ../proto
	plenum.internal/mesh => ../mesh
)
