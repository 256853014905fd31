using System.Runtime.InteropServices;

namespace NanoFold.Kernels.Cpu.Pool;

/// <summary>
/// Who is in the open run. Workers go in as long as it is open, without a word that all of them write: each says on a line of its own that it is inside, and the caller, having
/// closed the run, looks at these lines.
/// </summary>
internal sealed unsafe class Attendance : IDisposable
{
    private readonly int _workers;
    private readonly ManualResetEventSlim _left = new(false);

    // Aligned by hand: the collector may lay objects side by side.
    private readonly RunLine* _run;
    private readonly WorkerLine* _lines;

    /// <param name="workers">All, the caller of runs (number 0) included.</param>
    public Attendance(int workers)
    {
        _workers = workers;
        _run = (RunLine*)Allocate(sizeof(RunLine));
        _lines = (WorkerLine*)Allocate(workers * sizeof(WorkerLine));
        if (workers > 1)
        {
            // The event makes its lock when it is first waited for, which a run must not do: it allocates nothing.
            _left.Wait(1);
        }
    }

    /// <summary>What is to be done in the open run: to be set before it is opened.</summary>
    public RunLine* Run => _run;

    /// <summary>The items of a run, for a worker that is in it.</summary>
    public Shares SharesOf(RunState state, int worker) => new(_lines, state.Run, _run->Items, state.Workers, worker);

    public void Open(RunState state)
    {
        if (Shares.BeginsAgain(state.Run))
        {
            for (int worker = 0; worker < _workers; worker++)
            {
                _lines[worker].Begun = 0;
            }
        }

        Interlocked.Exchange(ref _run->State, state.Word);
    }

    /// <summary>Lets nobody in from here on, and waits until those inside have left.</summary>
    public void Close(RunState state)
    {
        Interlocked.Exchange(ref _run->State, state.Closed().Word);
        for (int worker = 1; worker < state.Workers; worker++)
        {
            AwaitLeaving(worker, state.Run);
        }
    }

    /// <summary>Whether a run is open that a worker has a share of and was not in yet.</summary>
    public bool IsWanted(int worker, long last) => IsWanted(Seen, worker, last);

    /// <summary>Goes into an open run after number <paramref name="last"/> that has a share for the worker; closed where there is none.</summary>
    public RunState Join(int worker, long last)
    {
        RunState state = Seen;
        if (!IsWanted(state, worker, last))
        {
            return state.Closed();
        }

        // Either the caller, when it has closed the run, sees this worker inside, or the worker sees that it is closed.
        Interlocked.Exchange(ref _lines[worker].Inside, state.Run);
        if (Seen.Word == state.Word)
        {
            return state;
        }

        Leave(worker);
        return state.Closed();
    }

    public void Leave(int worker)
    {
        Interlocked.Exchange(ref _lines[worker].Inside, 0);
        if (Volatile.Read(ref _run->Awaited) == worker)
        {
            _left.Set();
        }
    }

    public void Dispose()
    {
        _left.Dispose();
        NativeMemory.AlignedFree(_run);
        NativeMemory.AlignedFree(_lines);
    }

    private RunState Seen => new(Volatile.Read(ref _run->State));

    private static bool IsWanted(RunState state, int worker, long last) => state.IsOpen && state.Run != last && worker < state.Workers;

    private void AwaitLeaving(int worker, long run)
    {
        ref long inside = ref _lines[worker].Inside;
        var wait = new Wait();
        while (Volatile.Read(ref inside) == run)
        {
            if (!wait.Again())
            {
                // It rings when it sees this, or it left before.
                Interlocked.Exchange(ref _run->Awaited, worker);
                while (Volatile.Read(ref inside) == run)
                {
                    // It may still be set for an earlier run; the line, read after each reset, decides.
                    _left.Wait();
                    _left.Reset();
                }

                _run->Awaited = 0;
                return;
            }
        }
    }

    private static void* Allocate(int bytes)
    {
        void* lines = NativeMemory.AlignedAlloc((nuint)bytes, RunLine.Bytes);
        NativeMemory.Clear(lines, (nuint)bytes);
        return lines;
    }
}
