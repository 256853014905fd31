using NanoFold.Gpu.Tests.Ptx.Blocks;

namespace NanoFold.Gpu.Tests.Ptx;

/// <summary>Runs the blocks of a launch, some at once and those of a cluster together, and their warps by turns until all have returned; tells where each stands when none can go on.</summary>
internal sealed class PtxScheduler
{
    private const int MostAtOnce = 60;

    private readonly PtxMachine _machine;
    private readonly PtxSchedule _schedule;
    private readonly Random? _random;
    private readonly Queue<int> _next;
    private readonly List<PtxBlock> _resident = [];
    private readonly List<PtxWarp> _ready = [];
    private int _held;

    public PtxScheduler(PtxMachine machine, int blocks)
    {
        (_machine, _schedule) = (machine, machine.Schedule);
        _random = _schedule.Seed is { } seed ? new Random(seed) : null;
        int[] order = [.. Enumerable.Range(0, blocks / machine.Program.Cluster)];
        if (_schedule.Resident > 1)
        {
            _random?.Shuffle(order);
            if (_schedule.LastWarpFirst)
            {
                Array.Reverse(order);
            }
        }

        _next = new Queue<int>(order);
    }

    public void Run()
    {
        while (_resident.Count > 0 || _next.Count > 0)
        {
            while ((_resident.Count == 0 || _resident.Count + _machine.Program.Cluster <= _schedule.Resident) && _next.TryDequeue(out int number))
            {
                _resident.AddRange(_machine.Start(number));
            }

            if (!(_random is null ? InOrder() : AtRandom()) && !CompleteOne() && !RunHeld() && !_machine.LetTimePass(_resident.SelectMany(b => b.Warps)))
            {
                throw new InvalidOperationException($"deadlock: {Dump()}");
            }

            if (_random is not null && _schedule.Completion == PtxCompletion.Random && _random.Next(3) == 0)
            {
                CompleteOne();
            }

            _resident.RemoveAll(Ends);
        }
    }

    private bool Ends(PtxBlock block)
    {
        if (!block.IsDone)
        {
            return false;
        }

        block.Async.End();
        block.Cluster.Barrier.End(block);
        if (_machine.SeeksRaces && block.Warps.Any(w => w.Copies.Exists(group => group.Count > 0)))
        {
            throw new InvalidOperationException($"block {string.Join(", ", block.Index)} ends with copies under way");
        }

        _machine.GiveBack(block);
        return true;
    }

    private bool InOrder()
    {
        bool any = false;
        foreach (PtxBlock block in _schedule.LastWarpFirst && _machine.Program.Cluster > 1 ? Enumerable.Reverse(_resident) : _resident)
        {
            for (int i = 0; i < block.Warps.Length; i++)
            {
                PtxWarp warp = block.Warps[_schedule.LastWarpFirst ? block.Warps.Length - 1 - i : i];
                if (!_schedule.Holds(warp) && Wakes(warp))
                {
                    _machine.Run(warp, int.MaxValue);
                    any = true;
                }
            }
        }

        return any;
    }

    /// <summary>A little of what a warp does that is held back.</summary>
    private bool RunHeld()
    {
        PtxWarp[] held = [.. _resident.SelectMany(b => b.Warps).Where(_schedule.Holds)];
        for (int i = 0; i < held.Length; i++)
        {
            PtxWarp warp = held[_held++ % held.Length];
            if (Wakes(warp))
            {
                _machine.Run(warp, MostAtOnce);
                return true;
            }
        }

        return false;
    }

    private bool AtRandom()
    {
        _ready.Clear();
        foreach (PtxBlock block in _resident)
        {
            foreach (PtxWarp each in block.Warps)
            {
                if (Wakes(each))
                {
                    _ready.Add(each);
                }
            }
        }

        if (_ready.Count == 0)
        {
            return false;
        }

        PtxWarp warp = _ready[_random!.Next(_ready.Count)];
        _machine.Current = warp.Block;
        _machine.Run(warp, 1 + _random.Next(MostAtOnce));
        return true;
    }

    private bool Wakes(PtxWarp warp)
    {
        _machine.Current = warp.Block;
        return warp.Wakes();
    }

    /// <summary>A piece of work in the background, of any block that has some.</summary>
    private bool CompleteOne()
    {
        int first = _random?.Next(_resident.Count) ?? 0;
        for (int i = 0; i < _resident.Count; i++)
        {
            _machine.Current = _resident[(first + i) % _resident.Count];
            if (_machine.Async.CompleteOne(_random))
            {
                return true;
            }
        }

        return false;
    }

    private string Dump() => string.Join("; ", _resident.Select(Dump));

    private string Dump(PtxBlock block) => $"block {string.Join(", ", block.Index)}: "
        + string.Join("; ", block.Warps.Where(w => w.Live != 0).Select(w => $"warp {w.Number} at {_machine.Text.Instructions[w.Next - 1].Text} waits for {w.WaitsFor}"))
        + block.Async.Dump();
}
