// Package client is the Go client of Plenum's edge protocol: it stays connected, resumes where it was, and loses nothing.
//
// A Client is made by New and works while Run does. It is a grpc.ClientConnInterface, so the generated clients of every
// service work over it: chatv1.NewChatServiceClient(c). Topics are followed by Follow; what must survive being offline, or
// this process, is put into the Outbox by Enqueue.
package client
