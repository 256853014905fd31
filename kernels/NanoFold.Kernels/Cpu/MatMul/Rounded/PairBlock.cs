using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.MatMul.Rounded;

/// <summary>Sixteen lines by sixteen pairs along k of operands, rounded to bfloat16: each pair is 32 bits, the first k in the lower half.</summary>
internal static unsafe class PairBlock
{
    /// <summary>Lines, and pairs, of a block.</summary>
    public const int Side = 16;

    /// <summary>Fills the block from one line and pair on, zeros beyond the operand's edges; its rows are lines where so asked, else pairs.</summary>
    public static void Fill(in Lines source, int line, int pair, bool rowsAreLines, Vector512<uint>* block)
    {
        int lines = Math.Clamp(source.Count - line, 0, Side), depth = Math.Clamp(source.Depth - 2 * pair, 0, 2 * Side);
        byte* from = source.Place(line, 2 * pair);
        if (source.LineStride == sizeof(float))
        {
            Across(from, source.StepStride, lines, depth, block);
        }
        else if (source.StepStride == sizeof(float))
        {
            Along(from, source.LineStride, lines, depth, block);
        }
        else
        {
            Gather(source, line, pair, lines, depth, block);
        }

        if (rowsAreLines == (source.LineStride == sizeof(float)))
        {
            Transpose(block);
        }
    }

    // Lines whose k are adjacent: a row is a line.
    private static void Along(byte* from, nint lineStride, int lines, int depth, Vector512<uint>* block)
    {
        // The upper halves of two vectors, one after the other.
        Vector512<ushort> upper = Vector512.CreateSequence<ushort>(1, 2);
        for (int i = 0; i < lines; i++)
        {
            Vector512<uint> low = Rounding.Round(Load(from, depth)), high = Rounding.Round(Load(from + Side * sizeof(float), depth - Side));
            block[i] = Avx512BW.PermuteVar32x16x2(low.AsUInt16(), upper, high.AsUInt16()).AsUInt32();
            from += lineStride;
        }

        for (int i = lines; i < Side; i++)
        {
            block[i] = default;
        }
    }

    // Adjacent lines: a row is a pair.
    private static void Across(byte* from, nint stepStride, int lines, int depth, Vector512<uint>* block)
    {
        for (int i = 0; i < Side; i++)
        {
            Vector512<uint> low = 2 * i < depth ? Rounding.Round(Load(from, lines)) : default;
            Vector512<uint> high = 2 * i + 1 < depth ? Rounding.Round(Load(from + stepStride, lines)) : default;
            block[i] = Vector512.ShiftRightLogical(low, 16) | high;
            from += 2 * stepStride;
        }
    }

    private static void Gather(in Lines source, int line, int pair, int lines, int depth, Vector512<uint>* block)
    {
        for (int i = 0; i < Side; i++)
        {
            block[i] = default;
            var row = (ushort*)(block + i);
            for (int k = 0; i < lines && k < depth; k++)
            {
                row[k] = BFloat16.FromSingle(*(float*)source.Place(line + i, 2 * pair + k));
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Load(byte* source, int count)
        => count >= Side ? Vector512.Load((float*)source) : count > 0 ? Lane16.LoadPart(source, 0, count).Value : default;

    /// <summary>Rows become columns: four by four elements within the quarters of vectors, then four by four quarters.</summary>
    private static void Transpose(Vector512<uint>* block)
    {
        Vector512<uint>* quarters = stackalloc Vector512<uint>[Side];
        for (int i = 0; i < 4; i++)
        {
            Vector512<uint>* rows = block + 4 * i;
            Vector512<ulong> low01 = Avx512F.UnpackLow(rows[0], rows[1]).AsUInt64(), high01 = Avx512F.UnpackHigh(rows[0], rows[1]).AsUInt64();
            Vector512<ulong> low23 = Avx512F.UnpackLow(rows[2], rows[3]).AsUInt64(), high23 = Avx512F.UnpackHigh(rows[2], rows[3]).AsUInt64();
            quarters[i] = Avx512F.UnpackLow(low01, low23).AsUInt32();
            quarters[4 + i] = Avx512F.UnpackHigh(low01, low23).AsUInt32();
            quarters[8 + i] = Avx512F.UnpackLow(high01, high23).AsUInt32();
            quarters[12 + i] = Avx512F.UnpackHigh(high01, high23).AsUInt32();
        }

        for (int i = 0; i < 4; i++)
        {
            Vector512<uint>* parts = quarters + 4 * i;
            Vector512<uint> low01 = Avx512F.Shuffle4x128(parts[0], parts[1], 0x44), high01 = Avx512F.Shuffle4x128(parts[0], parts[1], 0xee);
            Vector512<uint> low23 = Avx512F.Shuffle4x128(parts[2], parts[3], 0x44), high23 = Avx512F.Shuffle4x128(parts[2], parts[3], 0xee);
            block[i] = Avx512F.Shuffle4x128(low01, low23, 0x88);
            block[4 + i] = Avx512F.Shuffle4x128(low01, low23, 0xdd);
            block[8 + i] = Avx512F.Shuffle4x128(high01, high23, 0x88);
            block[12 + i] = Avx512F.Shuffle4x128(high01, high23, 0xdd);
        }
    }
}
