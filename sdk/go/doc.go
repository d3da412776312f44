// Package aiinfra is a client of the Utopia API: GPU claims, nodes, hosts, jobs, people and what happens to them.
//
//	client := aiinfra.NewClient("http://localhost:8080", "token")
//	claims, err := client.Claims.List()
//
// Every operation of the contract is a method of one of the client's services, once as it is and once with a context, which ends it
// early. Operations that list in pages have an iterator over all of them beside, called All…, and those that answer with message
// after message are iterators themselves:
//
//	for claim, err := range client.Claims.All(aiinfra.ClaimsListParams{Phase: aiinfra.ClaimPhaseRunning}) {
//
// An error is an [*Error] when the server refused or failed, and wraps [ErrConnection], [ErrTimeout] or [ErrInvalidResponse]
// otherwise. What may safely be done twice is tried again, after as long as the server asks for.
//
// A client may be used by many goroutines.
package aiinfra
