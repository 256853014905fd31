namespace NanoFold.Gpu.Tests.Ptx.Hopper;

/// <summary>
/// What a block has in the background: copies of tiles, products of warpgroups. Each piece of work is done at some time between where it was asked for and where something
/// waits for it, as the schedule says; until the wait its operands are locked, so that what only mostly works is a fault in every order.
/// </summary>
internal sealed class AsyncBlock(PtxMachine machine, PtxWarp[] warps)
{
    private readonly List<AsyncWork> _pending = [];

    public SharedUse Shared { get; } = new(machine.Program.SharedBytes);

    public Dictionary<int, Mbarrier> Mbarriers { get; } = [];

    public BulkGroups Stores { get; } = new();

    public WarpgroupProducts Products { get; } = new(warps.Length);

    public RegisterPool Registers { get; } = new(warps.Length);

    public void Start(AsyncWork work)
    {
        if (machine.Schedule.Completion == PtxCompletion.Earliest)
        {
            work.Complete();
        }
        else
        {
            _pending.Add(work);
        }
    }

    /// <summary>Does one piece of work: any, or the oldest, or with the last warp first the newest. False if there is none.</summary>
    public bool CompleteOne(Random? random)
    {
        _pending.RemoveAll(work => work.IsDone);
        if (_pending.Count == 0)
        {
            return false;
        }

        _pending[random?.Next(_pending.Count) ?? (machine.Schedule.LastWarpFirst ? _pending.Count - 1 : 0)].Complete();
        return true;
    }

    public Mbarrier Mbarrier(int address) => Mbarriers.TryGetValue(address, out Mbarrier? barrier)
        ? barrier
        : throw new InvalidOperationException($"there is no mbarrier at {address}");

    /// <summary>The block has returned: nothing may be left.</summary>
    public void End()
    {
        _pending.RemoveAll(work => work.IsDone);
        if (_pending.Count > 0 || Stores.Any || Products.Any)
        {
            throw new InvalidOperationException($"the block ends with work in the background: {Dump()}{(Stores.Any ? " stores" : "")}{(Products.Any ? " products" : "")}");
        }
    }

    public string Dump() => string.Concat(Mbarriers.OrderBy(b => b.Key).Select(b => $"; mbarrier {b.Key}: {b.Value}"))
        + string.Concat(_pending.Where(work => !work.IsDone).Select(work => $"; under way: {work.Name}"));
}
