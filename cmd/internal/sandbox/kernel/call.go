package kernel

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// call is one import that a guest may have. do gets the parameters as they lie on the stack: of
// an i32 only the lower half counts. Its answer is an errno but for the few that answer with a
// number; a call without an answer (void) does not come back.
type call struct {
	name   string
	params []api.ValueType
	do     func(p *Process, a []uint64) errno
	void   bool
}

func (c call) results() []api.ValueType {
	if c.void {
		return nil
	}
	return []api.ValueType{api.ValueTypeI32}
}

// serve is the call as wazero takes it.
func (c call) serve() api.GoFunc {
	do, name := c.do, c.name
	return func(ctx context.Context, a []uint64) {
		p := ctx.(*guestContext).process
		if p.calls++; p.calls > maxCalls {
			panic(fmt.Errorf("the guest made %d calls, the last to %s, and never waited: it loops", maxCalls, name))
		}
		answer := do(p, a)
		if len(a) > 0 {
			a[0] = uint64(answer)
		}
		switch {
		case p.killed:
			panic(errKilled)
		case p.failure != nil:
			panic(p.failure)
		}
	}
}

// hostModule is a module that guests import from.
type hostModule struct {
	name  string
	calls []call
}

func (m hostModule) instantiate(ctx context.Context, runtime wazero.Runtime) error {
	builder := runtime.NewHostModuleBuilder(m.name)
	for _, c := range m.calls {
		builder.NewFunctionBuilder().WithGoFunction(c.serve(), c.params, c.results()).Export(c.name)
	}
	_, err := builder.Instantiate(ctx)
	return err
}

// types are the parameters of a call, in short: i is an i32, I an i64.
func types(short string) []api.ValueType {
	params := make([]api.ValueType, len(short))
	for i, t := range short {
		params[i] = api.ValueTypeI32
		if t == 'I' {
			params[i] = api.ValueTypeI64
		}
	}
	return params
}

// served is a call that is served.
func served(name, params string, do func(p *Process, a []uint64) errno) call {
	return call{name: name, params: types(params), do: do}
}

// unserved is a call that ends the guest.
func unserved(name, params string) call {
	return served(name, params, func(p *Process, a []uint64) errno {
		args := slices.Clone(a[:len(params)])
		for i, t := range params {
			if t == 'i' {
				args[i] = uint64(uint32(args[i]))
			}
		}
		p.unsupported(name, args...)
		return success
	})
}

// unsupported ends the guest because of what it asked for.
func (p *Process) unsupported(name string, args ...uint64) {
	texts := make([]string, len(args))
	for i, a := range args {
		texts[i] = fmt.Sprint(a)
	}
	panic(fmt.Errorf("the guest called %s(%s), which is not served", name, strings.Join(texts, ", ")))
}

// modules are all calls that there are.
var modules = []hostModule{
	{"wasi_snapshot_preview1", []call{
		served("args_get", "ii", argsGet),
		served("args_sizes_get", "ii", argsSizesGet),
		served("environ_get", "ii", environGet),
		served("environ_sizes_get", "ii", environSizesGet),
		served("clock_time_get", "iIi", clockTimeGet),
		served("clock_res_get", "ii", clockResGet),
		served("random_get", "ii", randomGet),
		served("sched_yield", "", schedYield),
		served("poll_oneoff", "iiii", pollOneoff),
		{name: "proc_exit", params: types("i"), do: procExit, void: true},
		unserved("proc_raise", "i"),

		served("fd_advise", "iIIi", fdAdvise),
		served("fd_allocate", "iII", fdAllocate),
		served("fd_close", "i", fdClose),
		served("fd_datasync", "i", fdSync),
		served("fd_fdstat_get", "ii", fdFdstatGet),
		served("fd_fdstat_set_flags", "ii", fdFdstatSetFlags),
		unserved("fd_fdstat_set_rights", "iII"),
		served("fd_filestat_get", "ii", fdFilestatGet),
		served("fd_filestat_set_size", "iI", fdFilestatSetSize),
		served("fd_filestat_set_times", "iIIi", fdFilestatSetTimes),
		served("fd_pread", "iiiIi", fdPread),
		served("fd_prestat_get", "ii", fdPrestatGet),
		served("fd_prestat_dir_name", "iii", fdPrestatDirName),
		served("fd_pwrite", "iiiIi", fdPwrite),
		served("fd_read", "iiii", fdRead),
		served("fd_readdir", "iiiIi", fdReaddir),
		served("fd_renumber", "ii", fdRenumber),
		served("fd_seek", "iIii", fdSeek),
		served("fd_sync", "i", fdSync),
		served("fd_tell", "ii", fdTell),
		served("fd_write", "iiii", fdWrite),

		served("path_create_directory", "iii", pathCreateDirectory),
		served("path_filestat_get", "iiiii", pathFilestatGet),
		served("path_filestat_set_times", "iiiiIIi", pathFilestatSetTimes),
		unserved("path_link", "iiiiiii"),
		served("path_open", "iiiiiIIii", pathOpen),
		served("path_readlink", "iiiiii", pathReadlink),
		served("path_remove_directory", "iii", pathRemoveDirectory),
		served("path_rename", "iiiiii", pathRename),
		unserved("path_symlink", "iiiii"),
		served("path_unlink_file", "iii", pathUnlinkFile),

		served("sock_accept", "iii", sockAccept),
		unserved("sock_recv", "iiiiii"),
		unserved("sock_send", "iiiii"),
		served("sock_shutdown", "ii", sockShutdown),
	}},
	{"orrery", []call{
		served("dial", "iii", orreryDial),
		served("listen", "iii", orreryListen),
		served("packets", "iii", orreryPackets),
		served("device", "iii", orreryDevice),
		served("connected", "i", orreryConnected),
		served("address", "iiiii", orreryAddress),
		served("send_to", "iiiii", orrerySendTo),
		served("receive_from", "iiiiiii", orreryReceiveFrom),
		served("sync", "ii", orrerySync),
		served("chance", "ii", orreryChance),
		served("knob", "ii", orreryKnob),
	}},
}
