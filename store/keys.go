package store

import "strconv"

// The key spaces. A record stands in one of the spaces marked R; all others are
// indices, which follow from the records and are what makes every question cost what
// its answer costs. Numbers are 16 hexadecimal digits, instants likewise with the sign
// bit turned, so that the order of keys is the order of numbers.
//
//	R meta                             StateMeta
//	R job/<uid>                        JobState
//	R def/<uid>/<version>              JobRecord: the version in force, and those of open executions
//	R exec/<id>                        ExecutionRecord
//	R outbox/<parent>/<child uid>      OutboxRow
//	R tree/<root>                      TreeRecord
//	R request/<request id>             RequestRecord
//	R note/<id>                        Notification
//	R day/<begin>                      DayCount
//	  name/<name>                      uid of the job that bears it now
//	  edge/<parent name>/<child uid>   jobs that run after one, while they exist
//	  due/<next>/<uid>                 heads of the due times: the scheduler's heap
//	  expiry/<time>/<uid>              jobs to delete from then on
//	  open/<uid>/<version>/<id>        executions not closed; in the order of their ids, since versions grow
//	  past/<uid>/<id>                  closed executions of a job
//	  closed/<time>/<id>               closed executions of all jobs, by end
//	  queue/<uid>/<lane>/<id>          executions that overlap keeps waiting
//	  ready/<id>                       executions that wait for members
//	  assigned/<id>                    executions with an attempt under way
//	  timer/<time>/<id>/<kind>/<slot>  moments that executions wait for: set, for, n
//	  asked/<issued>/<request id>      requests by age
const (
	metaKey       = "meta"
	jobSpace      = "job/"
	defSpace      = "def/"
	execSpace     = "exec/"
	outboxSpace   = "outbox/"
	treeSpace     = "tree/"
	requestSpace  = "request/"
	noteSpace     = "note/"
	daySpace      = "day/"
	nameSpace     = "name/"
	edgeSpace     = "edge/"
	dueSpace      = "due/"
	expirySpace   = "expiry/"
	openSpace     = "open/"
	pastSpace     = "past/"
	closedSpace   = "closed/"
	queueSpace    = "queue/"
	readySpace    = "ready/"
	assignedSpace = "assigned/"
	timerSpace    = "timer/"
	askedSpace    = "asked/"
)

// A job's waiting executions stand in two lanes: those of due times, requests and
// parents, and the catch-ups and backfills, which run one after the other whatever the
// overlap policy.
const (
	laneCurrent = "c"
	laneSerial  = "s"
)

const hexDigits = "0123456789abcdef"

// number is v as it stands in a key.
func number(v uint64) string {
	var b [16]byte
	for i := range b {
		b[i] = hexDigits[v>>(60-4*i)&15]
	}
	return string(b[:])
}

// instant is Unix nanoseconds as they stand in a key.
func instant(ns int64) string { return number(uint64(ns) ^ 1<<63) }

func parseNumber(s string) uint64 {
	v, err := strconv.ParseUint(s, 16, 64)
	must(err)
	return v
}

func parseInstant(s string) int64 { return int64(parseNumber(s) ^ 1<<63) }

// lastNumber is the number that ends a key.
func lastNumber(key string) uint64 { return parseNumber(key[len(key)-16:]) }

// timeOf is the instant that a key of a space ordered by time begins with.
func timeOf(space, key string) int64 { return parseInstant(key[len(space) : len(space)+16]) }

func jobKey(uid uint64) string          { return jobSpace + number(uid) }
func defKey(uid, version uint64) string { return defSpace + number(uid) + "/" + number(version) }
func execKey(id uint64) string          { return execSpace + number(id) }
func treeKey(root uint64) string        { return treeSpace + number(root) }
func requestKey(id string) string       { return requestSpace + id }
func noteKey(id uint64) string          { return noteSpace + number(id) }
func dayKey(begun int64) string         { return daySpace + instant(begun) }
func nameKey(name string) string        { return nameSpace + name }

func outboxKey(parent, child uint64) string {
	return outboxSpace + number(parent) + "/" + number(child)
}

// edgePrefix begins the keys of the jobs that run after the one named.
func edgePrefix(parent string) string { return edgeSpace + parent + "/" }

func edgeKey(parent string, child uint64) string { return edgePrefix(parent) + number(child) }
func dueKey(next int64, uid uint64) string       { return dueSpace + instant(next) + "/" + number(uid) }

func expiryKey(at int64, uid uint64) string {
	return expirySpace + instant(at) + "/" + number(uid)
}

// openPrefix begins the keys of a job's open executions.
func openPrefix(uid uint64) string { return openSpace + number(uid) + "/" }

// openVersionPrefix begins the keys of those that fired under one version.
func openVersionPrefix(uid, version uint64) string { return openPrefix(uid) + number(version) + "/" }

func openKey(uid, version, id uint64) string { return openVersionPrefix(uid, version) + number(id) }

// pastPrefix begins the keys of a job's closed executions.
func pastPrefix(uid uint64) string { return pastSpace + number(uid) + "/" }

func pastKey(uid, id uint64) string          { return pastPrefix(uid) + number(id) }
func closedKey(at int64, id uint64) string   { return closedSpace + instant(at) + "/" + number(id) }
func lanePrefix(uid uint64, l string) string { return queueSpace + number(uid) + "/" + l + "/" }

func queueKey(uid uint64, lane string, id uint64) string { return lanePrefix(uid, lane) + number(id) }

func readyKey(id uint64) string    { return readySpace + number(id) }
func assignedKey(id uint64) string { return assignedSpace + number(id) }

func timerKey(at int64, id uint64, kind TimerKind, slot uint32) string {
	return timerSpace + instant(at) + "/" + number(id) + "/" + number(uint64(kind)) + "/" + number(uint64(slot))
}

func askedKey(issued int64, id string) string { return askedSpace + instant(issued) + "/" + id }
