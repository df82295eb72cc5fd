package files

import "testing"

// BenchmarkAppendSync is a log: 100 bytes and a sync, in a file of 16 MiB that was made so.
func BenchmarkAppendSync(b *testing.B) {
	m := newMachine(1, steady())
	f := m.open("log", Write|Create)
	must(f.Truncate(16 << 20))
	record, at := []byte("a record of a log, as long as records are: about a hundred bytes, a bit more or less, as it comes up."), int64(0)
	b.ReportAllocs()
	for b.Loop() {
		f.WriteAt(record, at)
		at = (at + int64(len(record))) % (16 << 20)
		f.Sync(func(error) {})
		m.pass(ms)
	}
}

// BenchmarkWrite4K writes whole blocks all over a file of 16 MiB, with a sync now and then.
func BenchmarkWrite4K(b *testing.B) {
	m := newMachine(1, steady())
	f := m.open("data", Write|Create)
	page := make([]byte, blockSize)
	page[17] = 1
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		f.WriteAt(page, i*2654435761%4096*blockSize)
		if i%64 == 63 {
			f.Sync(func(error) {})
			m.pass(ms)
		}
	}
}

// BenchmarkRead4K reads whole blocks all over a file of 16 MiB.
func BenchmarkRead4K(b *testing.B) {
	m := newMachine(1, steady())
	f := m.open("data", Read|Write|Create)
	page := make([]byte, blockSize)
	page[17] = 1
	for i := range int64(4096) {
		f.WriteAt(page, i*blockSize)
	}
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		f.ReadAt(page, i*2654435761%4096*blockSize)
	}
}

// BenchmarkPowerLoss is one of a disk with 100 files of 16 blocks.
func BenchmarkPowerLoss(b *testing.B) {
	m := newMachine(1, steady())
	for i := range 100 {
		m.putAt(string(rune('a'+i)), 0, string(make([]byte, 16*blockSize-1))+"x")
	}
	m.sync("/")
	for b.Loop() {
		m.PowerLoss()
	}
}
