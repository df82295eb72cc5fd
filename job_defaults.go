package orrery

import "time"

// The names of the executors that the words of a job refer to. There are more, and
// members offer them.
const (
	ExecutorShell = "shell"
	ExecutorHTTP  = "http"
)

const (
	defaultQueueLimit    = 1 // one waiting catches every cause; two waiting do the same work twice
	defaultMisfireWindow = 24 * time.Hour
	defaultMisfireMax    = 100
	defaultKillGrace     = 10 * time.Second
	defaultHistory       = 20
)

// WithDefaults returns j with every default made explicit, so that what is stored
// means the same when a default changes. A field that has no meaning under the job's
// policies, such as QueueLimit without OverlapQueue, keeps its zero value. So does
// Timezone where the schedule names its zone itself. It changes nothing twice.
func (j Job) WithDefaults(cfg ClusterConfig) Job {
	j.Timezone = j.zoneName(cfg)
	if j.Overlap == OverlapQueue {
		setDefault(&j.QueueLimit, defaultQueueLimit)
	}
	setDefault(&j.MisfireWindow, defaultMisfireWindow)
	setDefault(&j.MisfireMax, defaultMisfireMax)
	j.Retry.Backoff = j.Retry.Backoff.WithDefaults()
	setDefault(&j.KillGrace, defaultKillGrace)
	setDefault(&j.Delivery, defaultDelivery(j.Executor))
	setDefault(&j.History, defaultHistory)
	return j
}

// defaultDelivery errs on the side that an executor's work can bear. A command whose
// twin still runs may destroy what that one does; a request carries a key by which
// its server tells the second from the first. Of all others nothing is known.
func defaultDelivery(executor string) Delivery {
	if executor == ExecutorHTTP {
		return DeliveryAtLeastOnce
	}
	return DeliveryExclusive
}
