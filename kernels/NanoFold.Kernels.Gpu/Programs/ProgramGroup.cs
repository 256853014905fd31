namespace NanoFold.Kernels.Gpu.Programs;

/// <summary>The worst of the programs of a group on an architecture.</summary>
/// <param name="Name">Of the group.</param>
/// <param name="Architecture">As in <c>sm_90a</c>.</param>
/// <param name="Programs">That were assembled.</param>
/// <param name="LeastRegisters">Of a thread, in the program with the fewest.</param>
/// <param name="MostRegisters">In the one with the most.</param>
/// <param name="Spilling">Programs that have no room in registers for something.</param>
/// <param name="MostSpilledBytes">Of a thread, that the worst of them stores.</param>
public sealed record ProgramGroup(string Name, string Architecture, int Programs, int LeastRegisters, int MostRegisters, int Spilling, int MostSpilledBytes)
{
    /// <summary>The groups of some programs, in their order.</summary>
    public static IReadOnlyList<ProgramGroup> Of(IEnumerable<ProgramRow> rows)
        => [.. rows.SelectMany(row => row.Assembled.Where(made => made.Error is null).Select(made => (row.Group, Made: made))).GroupBy(row => (row.Group, row.Made.Architecture)).Select(group => new ProgramGroup(
            group.Key.Group,
            group.Key.Architecture,
            group.Count(),
            group.Min(row => row.Made.Registers),
            group.Max(row => row.Made.Registers),
            group.Count(row => row.Made.StoredBytes > 0),
            group.Max(row => row.Made.StoredBytes)))];
}
