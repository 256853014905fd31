using NanoFold.Kernels.Gpu.Gemm.Fused;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Gemm.Wgmma;

/// <summary>
/// The formula of gates, where a product by warpgroups ends. The consumer's tile holds what was rounded to y's type: forward gates in its first half and what they multiply in its second, which tensor maps
/// store, and f(gate, up) goes out from here; backward the gradients of what the formula gave, of which dGate and dUp become those of y.
/// </summary>
internal sealed class WgmmaGates(PtxWriter w, WgmmaLayout layout, WgmmaChunks chunks)
{
    private readonly GemmGate _gate = layout.Spec.Gate!.Value;

    /// <param name="row">Row of y that the consumer's first one is.</param>
    /// <param name="column">Of gates that the tile's first one is.</param>
    public void Write(Reg row, Reg column)
    {
        Reg rows = GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.M)), all = GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.N));
        Reg columns = layout.Spec.HasPairs ? w.Shr(all, 1) : all, gated = GemmArguments.Read(w, RegKind.B64, nameof(GemmArguments.Gated));
        Reg strideGated = GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.StrideGated));
        Chunk[] own = [.. Enumerable.Range(0, layout.Columns / TensorMapShape.BoxColumns).Select(panel => At(panel, column, columns, gated))];
        if (_gate.IsGradient)
        {
            Reg y = GemmArguments.Read(w, RegKind.B64, nameof(GemmArguments.Y)), strideY = GemmArguments.Read(w, RegKind.B32, nameof(GemmArguments.StrideY)), apart = w.MulWide(columns, Size);
            chunks.ForRows(row, at => Gradients(own, at, w.Compare("lt", at, rows), w.MulWide(at, strideGated), w.MadWide(at, strideY, y), apart));
            return;
        }

        chunks.ForRows(row, at => Values(own, w.Compare("lt", at, rows), w.MulWide(at, strideGated)));
    }

    private int Size => layout.Spec.Output.Size();

    /// <summary>A lane's chunk of a panel: where it lies, what is of the same column further on, its bytes from a row's begin, its address among gates, and whether the column exists.</summary>
    private readonly record struct Chunk(Reg Place, Reg Other, Reg Bytes, Reg Gated, Reg IsInside);

    private Chunk At(int panel, Reg column, Reg columns, Reg gated)
    {
        Reg inTile = chunks.Column(panel), own = w.Add(column, inTile), bytes = w.MulWide(own, Size);
        return new(chunks.Place(inTile), layout.Spec.HasPairs ? chunks.Place(w.Add(inTile, layout.Columns)) : default, bytes, w.Add(gated, bytes), w.Compare("lt", own, columns));
    }

    private void Values(Chunk[] own, Reg isRow, Reg row)
    {
        foreach (Chunk chunk in own)
        {
            Reg[] values = _gate.Values(w, layout.Spec.Output, chunks.Load(chunk.Place), chunks.Load(chunk.Other));
            GemmElements.Store(w, layout.Spec.Output, w.Add(chunk.Gated, row), 0, values, w.Both(isRow, chunk.IsInside));
        }
    }

    private void Gradients(Chunk[] own, Reg row, Reg isRow, Reg rowGated, Reg y, Reg apart)
    {
        // Memory is far away: all of a row's gates are asked for first.
        Reg[] inside = [.. own.Select(chunk => w.Both(isRow, chunk.IsInside))];
        Reg[] gates = [.. own.Select(chunk => w.Add(chunk.Gated, rowGated))];
        (Reg[] Gate, Reg[] Up)[] loaded = [.. own.Select((_, i) => (Load(gates[i], inside[i]), Load(w.Add(gates[i], apart), inside[i])))];
        for (int i = 0; i < own.Length; i++)
        {
            (Reg[] gate, Reg[] up) = _gate.Gradients(w, layout.Spec.Output, Unpacked(loaded[i].Gate), Unpacked(loaded[i].Up), chunks.Load(own[i].Place));
            Reg target = w.Add(y, own[i].Bytes);
            GemmElements.Store(w, layout.Spec.Output, target, 0, gate, inside[i]);
            GemmElements.Store(w, layout.Spec.Output, w.Add(target, apart), 0, up, inside[i]);
        }
    }

    private Reg[] Load(Reg address, Reg where) => w.LoadGlobalWhere(where, RegKind.B32, WgmmaChunks.Elements / 2, address);

    private Reg[] Unpacked(Reg[] pairs)
        => [.. pairs.SelectMany(pair =>
        {
            (Reg low, Reg high) = w.Unpack(layout.Spec.Output, pair);
            return (Reg[])[low, high];
        })];
}
