module plenum.internal/services/identity

go 1.26.0

require (
	github.com/hashicorp/golang-lru/v2 v2.0.7
	github.com/prometheus/client_golang v1.25.0
	golang.org/x/crypto v0.58.0
	golang.org/x/sync v0.24.0
	golang.org/x/text v0.43.0
	google.golang.org/grpc v1.85.0
	google.golang.org/protobuf v1.36.12
	pgregory.net/rapid v1.3.0
	plenum.internal/mesh v0.0.0
	plenum.internal/proto v0.0.0
)

replace (
	plenum.internal/mesh => ../../mesh
	plenum.internal/proto => ../../proto
)
