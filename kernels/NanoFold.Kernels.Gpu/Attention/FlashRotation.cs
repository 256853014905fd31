using NanoFold.Kernels.Gpu.Attention.Flash;
using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention;

/// <summary>Rotary positions by which gradients of queries and keys are turned back where they are stored.</summary>
/// <param name="Width">Elements of a head that are turned, the first ones.</param>
/// <param name="IsInterleaved">Pairs (2i, 2i + 1) in place of (i, i + Width / 2).</param>
/// <param name="HasPositions">Rows of a batch begin at positions that lie in memory, not at 0.</param>
internal readonly record struct FlashRotation(int Width, bool IsInterleaved, bool HasPositions)
{
    /// <summary>Whether pairs are tiles of 8 columns, or in one: a lane then has both of each.</summary>
    public bool Fits(int headDim) => Width <= headDim && Width % 8 == 0 && (IsInterleaved || Width % 16 == 0);

    public override string ToString() => $"{Width}{(IsInterleaved ? "_interleaved" : "")}{(HasPositions ? "_positions" : "")}";

    /// <summary>Address of the cosines of a row's pairs, from a lane's first one on; sines follow <see cref="Width"/> / 2 further. As with rope positions outside of the table are its nearest ones.</summary>
    /// <param name="w">Of the kernel.</param>
    /// <param name="batch">Row of the batch.</param>
    /// <param name="row">Token of it.</param>
    /// <param name="column">The lane's first column, even.</param>
    public Reg Address(PtxWriter w, Reg batch, Reg row, Reg column)
    {
        Reg position = row;
        if (HasPositions)
        {
            position = w.Add(position, w.LoadGlobal(RegKind.B32, w.MadWide(batch, sizeof(int), FlashArguments.Read(w, RegKind.B64, nameof(FlashArguments.Positions)))));
        }

        position = w.Min(w.Max(position, 0), FlashArguments.Read(w, nameof(FlashArguments.LastPosition)));
        Reg table = w.MadWide(position, FlashArguments.Read(w, nameof(FlashArguments.TableStride)), FlashArguments.Read(w, RegKind.B64, nameof(FlashArguments.Table)));
        return w.MadWide(IsInterleaved ? w.Shr(column, 1) : column, sizeof(float), table);
    }

    /// <summary>Turns a row's gradients back, which lie in a lane as pairs of columns 8n + 2t and 8n + 2t + 1, rounded.</summary>
    /// <param name="w">Of the kernel.</param>
    /// <param name="values">Of tiles n, two each.</param>
    /// <param name="address">See <see cref="Address"/>.</param>
    public void TurnBack(PtxWriter w, Reg[][] values, Reg address)
    {
        int half = Width / 2;
        for (int n = 0; n < (IsInterleaved ? Width : half) / 8; n++)
        {
            if (IsInterleaved)
            {
                Reg cos = w.LoadGlobal(RegKind.F32, address, 16 * n), sin = w.LoadGlobal(RegKind.F32, address, (16 * n) + (4 * half));
                (values[n][0], values[n][1]) = Back(w, values[n][0], values[n][1], cos, sin);
                continue;
            }

            Reg[] cosines = w.LoadGlobal(RegKind.F32, 2, address, 32 * n), sines = w.LoadGlobal(RegKind.F32, 2, address, (32 * n) + (4 * half));
            for (int i = 0; i < 2; i++)
            {
                (values[n][i], values[n + (half / 8)][i]) = Back(w, values[n][i], values[n + (half / 8)][i], cosines[i], sines[i]);
            }
        }
    }

    // The product with a is part of a multiply-add, as the assembler makes it of RopeWork.
    private static (Reg First, Reg Second) Back(PtxWriter w, Reg a, Reg b, Reg cos, Reg sin)
        => (w.Mad(a, cos, w.Mul(b, sin)), w.Mad(w.Negate(a), sin, w.Mul(b, cos)));
}
