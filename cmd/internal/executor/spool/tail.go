package spool

// Tail keeps the end of what is written to it.
type Tail struct {
	n     int
	bytes []byte // at most twice n, so that most writes move nothing
	total int64
}

// NewTail keeps the last n bytes.
func NewTail(n int) *Tail { return &Tail{n: n} }

// Write never fails.
func (t *Tail) Write(p []byte) (int, error) {
	t.total += int64(len(p))
	t.bytes = append(t.bytes, p[max(0, len(p)-t.n):]...)
	if len(t.bytes) > 2*t.n {
		t.bytes = append(t.bytes[:0], t.bytes[len(t.bytes)-t.n:]...)
	}
	return len(p), nil
}

// Bytes is what is kept; it is not to be changed.
func (t *Tail) Bytes() []byte { return t.bytes[max(0, len(t.bytes)-t.n):] }

// Truncated says whether more was written than is kept.
func (t *Tail) Truncated() bool { return t.total > int64(t.n) }
