namespace NanoFold.Gpu.Tests.Ptx.Hopper;

/// <summary>
/// Registers that hold a warpgroup's sums or left operand: from where products are asked for until the wait they belong to the tensor cores, and after any other
/// instruction has touched them a <c>wgmma.fence</c> must come before the next product.
/// </summary>
internal sealed class WgmmaSums
{
    private readonly int[]?[] _touched;

    public WgmmaSums(PtxText text)
    {
        var all = new HashSet<int>(text.Instructions.Where(IsProduct).SelectMany(i => i.Operands[0].Concat(IsLeftInRegisters(i) ? i.Operands[1] : []).Select(a => a.Register)));
        All = [.. all];
        _touched = new int[]?[text.Instructions.Length];
        foreach (PtxText.Instruction i in All.Length > 0 ? text.Instructions : [])
        {
            int[] touched = IsProduct(i) ? [] : [.. i.Operands.SelectMany(o => o).Select(a => a.Register).Where(all.Contains).Distinct()];
            _touched[i.Index] = touched.Length > 0 ? touched : null;
        }
    }

    public int[] All { get; }

    /// <summary>An ordinary instruction is about to run.</summary>
    public void Touch(PtxWarp warp, PtxText.Instruction instruction)
    {
        if (_touched[instruction.Index] is not { } touched)
        {
            return;
        }

        foreach (int register in touched)
        {
            if (warp.Sums.UnderWay[register] + warp.Sums.Read[register] > 0)
            {
                throw new InvalidOperationException("a register of products is touched before the products are waited for");
            }

            warp.Sums.Fenced[register] = false;
        }
    }

    /// <summary>Whether a product's left operand is in registers: then it has no descriptor.</summary>
    public static bool IsLeftInRegisters(PtxText.Instruction product) => product.Operands[1].Length == 4;

    private static bool IsProduct(PtxText.Instruction i) => i.Opcode.StartsWith("wgmma.mma_async", StringComparison.Ordinal);
}
