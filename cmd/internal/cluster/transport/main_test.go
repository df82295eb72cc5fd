package transport_test

import (
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(slowly{m}) }

// slowly gives goroutines that were told to end the time for it that a busy machine takes.
type slowly struct{ *testing.M }

func (s slowly) Run() int {
	code := s.M.Run()
	for end := time.Now().Add(10 * time.Second); code == 0 && goleak.Find() != nil && time.Now().Before(end); {
	}
	return code
}
