namespace NanoFold.Engine.Interchange.Gguf.Blocks;

/// <summary>Blocks of 256 values in groups of 16 or 32, each with a scale of its own of few bits: x = d s q − m t q₀ and relatives.</summary>
internal static class KBlocks
{
    private const int Values = 256, Half = 128, Run = 32, Group = 16;

    /// <summary>scales and least values [16], codes [64] of 2 bits, d, m.</summary>
    public static void Q2(ReadOnlySpan<byte> block, Span<float> values)
    {
        ReadOnlySpan<byte> scales = block[..16], codes = block.Slice(16, 64);
        float d = BlockType.Half(block[80..]), m = BlockType.Half(block[82..]);
        for (int i = 0; i < Values; i++)
        {
            byte scale = scales[i / Group];
            int code = (codes[(i / Half * Run) + (i % Run)] >> (i % Half / Run * 2)) & 3;
            values[i] = (d * (scale & 15) * code) - (m * (scale >> 4));
        }
    }

    /// <summary>high bits [32], codes [64] of 2 bits, scales [12] of 6 bits, d.</summary>
    public static void Q3(ReadOnlySpan<byte> block, Span<float> values)
    {
        ReadOnlySpan<byte> high = block[..32], codes = block.Slice(32, 64), scales = block.Slice(96, 12);
        float d = BlockType.Half(block[108..]);
        for (int group = 0; group < Values / Group; group++)
        {
            int low = group < 8 ? scales[group] & 15 : scales[group - 8] >> 4;
            float scale = d * ((low | (((scales[8 + (group % 4)] >> (group / 4 * 2)) & 3) << 4)) - 32);
            for (int i = group * Group; i < (group + 1) * Group; i++)
            {
                int code = (codes[(i / Half * Run) + (i % Run)] >> (i % Half / Run * 2)) & 3;
                values[i] = scale * (code - (((high[i % Run] >> (i / Run)) & 1) == 0 ? 4 : 0));
            }
        }
    }

    /// <summary>d, m, scales and least values [12] of 6 bits, codes [128] of 4 bits.</summary>
    public static void Q4(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = BlockType.Half(block), m = BlockType.Half(block[2..]);
        ReadOnlySpan<byte> scales = block.Slice(4, 12);
        for (int run = 0; run < Values / Run; run++)
        {
            (float scale, float least) = (d * ScaleOf(scales, run), m * LeastOf(scales, run));
            ReadOnlySpan<byte> codes = block.Slice(16 + (run / 2 * Run), Run);
            Span<float> part = values.Slice(run * Run, Run);
            int shift = run % 2 * 4;
            for (int i = 0; i < part.Length; i++)
            {
                part[i] = (scale * ((codes[i] >> shift) & 15)) - least;
            }
        }
    }

    /// <summary>d, m, scales and least values [12] of 6 bits, fifth bits [32], codes [128] of 4 bits.</summary>
    public static void Q5(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = BlockType.Half(block), m = BlockType.Half(block[2..]);
        ReadOnlySpan<byte> scales = block.Slice(4, 12), fifth = block.Slice(16, Run);
        for (int run = 0; run < Values / Run; run++)
        {
            (float scale, float least) = (d * ScaleOf(scales, run), m * LeastOf(scales, run));
            ReadOnlySpan<byte> codes = block.Slice(48 + (run / 2 * Run), Run);
            Span<float> part = values.Slice(run * Run, Run);
            int shift = run % 2 * 4;
            for (int i = 0; i < part.Length; i++)
            {
                part[i] = (scale * (((codes[i] >> shift) & 15) | (((fifth[i] >> run) & 1) << 4))) - least;
            }
        }
    }

    /// <summary>low halves [128], high bits [64], scales [16], d.</summary>
    public static void Q6(ReadOnlySpan<byte> block, Span<float> values)
    {
        ReadOnlySpan<byte> scales = block.Slice(192, 16);
        float d = BlockType.Half(block[208..]);
        for (int run = 0; run < Values / Run; run++)
        {
            // Of each half of the block: four runs, of which the first two are low halves of bytes, the others high ones.
            int half = run / 4, quarter = run % 4;
            ReadOnlySpan<byte> low = block.Slice((half * 64) + (quarter % 2 * Run), Run), high = block.Slice(128 + (half * Run), Run);
            Span<float> part = values.Slice(run * Run, Run);
            for (int i = 0; i < part.Length; i++)
            {
                int code = ((low[i] >> (quarter / 2 * 4)) & 15) | (((high[i] >> (quarter * 2)) & 3) << 4);
                part[i] = d * (sbyte)scales[(run * 2) + (i / Group)] * (code - 32);
            }
        }
    }

    private static int ScaleOf(ReadOnlySpan<byte> scales, int run) => run < 4 ? scales[run] & 63 : (scales[run + 4] & 15) | (scales[run - 4] >> 6 << 4);

    private static int LeastOf(ReadOnlySpan<byte> scales, int run) => run < 4 ? scales[run + 4] & 63 : (scales[run + 4] >> 4) | (scales[run] >> 6 << 4);
}
