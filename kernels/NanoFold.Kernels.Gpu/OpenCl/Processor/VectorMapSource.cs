namespace NanoFold.Kernels.Gpu.OpenCl.Processor;

/// <summary>
/// (y, z) = formula(a, b, c) by vectors of sixteen floats, along lines of the innermost dimension; a group is one thread, which has a piece of a line or some whole ones. How an operand
/// lies along a line is known when the kernel is written: side by side, one for all, or apart.
/// </summary>
internal static class VectorMapSource
{
    /// <summary>Numbers of a formula at most.</summary>
    public const int MostNumbers = 96;

    private const string Head = """
        struct place { long offset, s0, s1, s2, step; };
        struct operands
        {
            struct place y, z, a, b, c;
            int n1, n2, lines, length, piece, pieces, together, accumulateY, accumulateZ;
            float k[96];
        };

        #define AT(m, p) (m + w.p.offset + i0 * w.p.s0 + i1 * w.p.s1 + i2 * w.p.s2)

        float16 gather(global const float* p, long step, int n)
        {
            float t[16];
            for (int i = 0; i < 16; i++)
                t[i] = i < n ? p[i * step] : 0;
            return vload16(0, t);
        }

        void scatter(float16 v, global float* p, long step, int n)
        {
            float t[16];
            vstore16(v, 0, t);
            for (int i = 0; i < n; i++)
                p[i * step] = t[i];
        }

        __attribute__((reqd_work_group_size(1, 1, 1)))
        kernel void map(
            global const float* A, global const float* B, global const float* C, global float* Y, global float* Z, struct operands w)
        {
            int group = get_group_id(0), line = group / w.pieces * w.together, end = min(line + w.together, w.lines);
            int from = group % w.pieces * w.piece, to = min(from + w.piece, w.length);
            int i2 = line % w.n2, i1 = line / w.n2 % w.n1, i0 = line / w.n2 / w.n1;
            for (; line < end; line++)
            {

        """;

    private const string Next = """
                if (++i2 == w.n2)
                {
                    i2 = 0;
                    if (++i1 == w.n1)
                    {
                        i1 = 0;
                        i0++;
                    }
                }
            }
        }

        """;

    /// <param name="formula">Of a, b and c.</param>
    /// <param name="y">Its result.</param>
    /// <param name="z">Its second one, or null.</param>
    /// <param name="operands">How many it has.</param>
    /// <param name="step">Between neighbors of an operand along a line: 0, 1, or 2 for any other number.</param>
    public static string Of(FormulaText formula, string y, string? z, int operands, Func<char, int> step)
    {
        string read = "abc"[..operands], written = z is null ? "y" : "yz";
        string places = string.Concat(read.Select(p => $"global const float* p{p} = AT({char.ToUpperInvariant(p)}, {p});\n"))
            + string.Concat(written.Select(p => $"global float* p{p} = AT({char.ToUpperInvariant(p)}, {p});\n"));
        return $"{VectorStore.Text}{Head}{places}int j = from;\nfor (; j + 16 <= to; j += 16)\n{{\n{Body("16")}}}\n\nif (j < to)\n{{\n{Body("to - j")}}}\n\n{Next}";

        string Body(string n)
        {
            string loads = string.Concat(read.Select(p => $"float16 {p} = {Load(p, step(p), n)};\n"));
            return loads + formula.Lines + Result('y', y, n) + (z is null ? "" : Result('z', z, n));
        }

        string Result(char p, string value, string n)
            => $"float16 r{p} = {value};\nif (w.accumulate{char.ToUpperInvariant(p)})\nr{p} = {Load(p, step(p), n)} + r{p};\n{Store(p, step(p), n)};\n";
    }

    private static string Load(char p, int step, string n) => step switch
    {
        0 => $"(float16)(*p{p})",
        1 when n == "16" => $"vload16(0, p{p} + j)",
        1 => $"gather(p{p} + j, 1, {n})",
        _ => $"gather(p{p} + j * w.{p}.step, w.{p}.step, {n})",
    };

    private static string Store(char p, int step, string n) => step switch
    {
        1 when n == "16" => $"store16(r{p}, p{p} + j)",
        1 => $"scatter(r{p}, p{p} + j, 1, {n})",
        _ => $"scatter(r{p}, p{p} + j * w.{p}.step, w.{p}.step, {n})",
    };
}
