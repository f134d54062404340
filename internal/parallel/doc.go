// Package parallel runs one function on a fixed set of workers.
//
// A [Pool] forks and joins: [Pool.Run] calls a function once per worker and
// returns when all have finished. Work is split by position alone ([Split]),
// never by who is free, and a [Barrier] keeps the workers in step inside one
// Run, as the steps of a recurrent window need.
//
// Waiting has three stages: a short spin for the case that all workers run, a
// phase of yielding to other goroutines, then parking. So a barrier costs a
// fraction of a microsecond while every worker has a processor, nothing hangs
// when there are fewer processors than workers, and an idle pool burns no CPU.
package parallel
