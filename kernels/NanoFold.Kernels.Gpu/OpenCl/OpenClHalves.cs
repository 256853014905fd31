using System.Text.RegularExpressions;

namespace NanoFold.Kernels.Gpu.OpenCl;

/// <summary>Half precision on a device without arithmetic in it: kernels only read halves as floats and round floats to halves, which is done on their bits.</summary>
internal static partial class OpenClHalves
{
    private const string Functions = """
        inline float nf_float(ushort x)
        {
            uint sign = (uint)(x & 0x8000u) << 16, rest = x & 0x7fffu;
            if (rest >= 0x7c00u)
                return as_float(sign | 0x7f800000u | (rest & 0x3ffu) << 13);
            if (rest < 0x400u)
            {
                float small = (float)rest * 5.9604644775390625e-8f;
                return as_float(sign | as_uint(small));
            }
            return as_float(sign | ((rest << 13) + 0x38000000u));
        }

        inline ushort nf_half(float x)
        {
            uint bits = as_uint(x), sign = bits >> 16 & 0x8000u, rest = bits & 0x7fffffffu;
            if (rest > 0x7f800000u)
                return (ushort)(sign | 0x7e00u);
            if (rest >= 0x477ff000u)
                return (ushort)(sign | 0x7c00u);
            if (rest < 0x38800000u)
                return (ushort)(sign | (as_uint(as_float(rest) + 0.5f) - 0x3f000000u));
            return (ushort)(sign | (rest - 0x38000000u + 0xfffu + (rest >> 13 & 1u)) >> 13);
        }


        """;

    public static string Rewrite(string source)
    {
        if (!Half().IsMatch(source))
        {
            return source;
        }

        source = ToFloat().Replace(source, "nf_float(${value})");
        source = ToHalf().Replace(source, "nf_half(${value})");
        return Functions + Half().Replace(source, "ushort");
    }

    [GeneratedRegex(@"\bhalf\b")]
    private static partial Regex Half();

    [GeneratedRegex(@"\(float\)\(half\)\s*(?<value>\w+)")]
    private static partial Regex ToFloat();

    [GeneratedRegex(@"\(half\)\(float\)\s*(?<value>\w+)")]
    private static partial Regex ToHalf();
}
