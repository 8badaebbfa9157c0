// Package edge is a client of the edge protocol that costs little, so that one process can be thousands of clients: it reads
// events without decoding what it doesn't measure, and leaves resuming and queues to the scenario.
package edge
