namespace NanoFold.Gpu.Tests.Ptx;

/// <summary>When work in the background is done.</summary>
internal enum PtxCompletion
{
    /// <summary>As soon as it was asked for.</summary>
    Earliest,

    /// <summary>Only when something waits for it, or nothing else can run.</summary>
    Latest,

    /// <summary>At any time between.</summary>
    Random,
}

/// <summary>One order of all that a block does, of the many that a device may choose.</summary>
internal sealed record PtxSchedule
{
    /// <summary>Runs the last warp first, which finds other missing barriers.</summary>
    public bool LastWarpFirst { get; init; }

    public PtxCompletion Completion { get; init; } = PtxCompletion.Latest;

    /// <summary>Of a random order, in which a warp runs a few instructions only; null: each runs until it waits.</summary>
    public int? Seed { get; init; }

    /// <summary>Blocks that run at once; the next one starts when one ends. Where they are several they start in any order: backwards with the last warp first, shuffled with a seed.</summary>
    public int Resident { get; init; } = 1;

    /// <summary>Warps that run only where no other can, and a few instructions at a time: all others are as far ahead of them as they can be. From the first to before the second; in no random order.</summary>
    public (int From, int Before) Held { get; init; }

    /// <summary>Of which block of a cluster they are; null: of all.</summary>
    public int? HeldRank { get; init; }

    public bool Holds(PtxWarp warp) => warp.Number >= Held.From && warp.Number < Held.Before && (HeldRank is not { } rank || rank == warp.Block.Rank);

    /// <summary>Orders that between them show what is missing.</summary>
    public static IEnumerable<PtxSchedule> All(int seeds)
        => (from last in new[] { false, true }
            from completion in new[] { PtxCompletion.Latest, PtxCompletion.Earliest }
            select new PtxSchedule { LastWarpFirst = last, Completion = completion })
            .Concat(Enumerable.Range(1, seeds).Select(seed => new PtxSchedule { Seed = seed, Completion = (PtxCompletion)(seed % 3) }));

    public override string ToString() => (Seed is { } seed ? $"seed {seed}, {Completion}" : $"{(LastWarpFirst ? "last" : "first")} warp first, {Completion}") + (Held.Before > 0 ? $", warps {Held.From} to {Held.Before - 1}{(HeldRank is { } rank ? $" of block {rank}" : "")} held back" : "") + (Resident > 1 ? $", {Resident} blocks" : "");
}
