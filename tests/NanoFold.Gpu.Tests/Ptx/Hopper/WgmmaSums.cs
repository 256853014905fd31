namespace NanoFold.Gpu.Tests.Ptx.Hopper;

/// <summary>
/// Registers that hold a warpgroup's sums or left operand: from where products are asked for until the wait they belong to the tensor cores, and after any other
/// instruction has touched them a <c>wgmma.fence</c> must come before the next product.
/// </summary>
internal sealed class WgmmaSums
{
    private readonly int[][] _touched;

    public WgmmaSums(PtxText text)
    {
        All = [.. text.Instructions.Where(IsProduct).SelectMany(i => i.Operands[0].Concat(IsLeftInRegisters(i) ? i.Operands[1] : []).Select(a => a.Register))];
        _touched = [.. text.Instructions.Select(i => IsProduct(i) ? [] : i.Operands.SelectMany(o => o).Select(a => a.Register).Where(All.Contains).Distinct().ToArray())];
    }

    public HashSet<int> All { get; }

    /// <summary>An ordinary instruction is about to run.</summary>
    public void Touch(PtxWarp warp, PtxText.Instruction instruction)
    {
        foreach (int register in _touched[instruction.Index])
        {
            if (warp.Sums.UnderWay.GetValueOrDefault(register) + warp.Sums.Read.GetValueOrDefault(register) > 0)
            {
                throw new InvalidOperationException("a register of products is touched before the products are waited for");
            }

            warp.Sums.Fenced.Remove(register);
        }
    }

    /// <summary>Whether a product's left operand is in registers: then it has no descriptor.</summary>
    public static bool IsLeftInRegisters(PtxText.Instruction product) => product.Operands[1].Length == 4;

    private static bool IsProduct(PtxText.Instruction i) => i.Opcode.StartsWith("wgmma.mma_async", StringComparison.Ordinal);
}
