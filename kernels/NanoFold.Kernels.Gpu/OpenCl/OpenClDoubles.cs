using System.Globalization;
using System.Text.RegularExpressions;

namespace NanoFold.Kernels.Gpu.OpenCl;

/// <summary>
/// Double precision on a device without it: kernels compute in single precision, and doubles in memory and in operands are read and written as their bits, so that the
/// host finds doubles there.
/// </summary>
internal static partial class OpenClDoubles
{
    private const string Functions = """
        inline float nf_read_double(long bits)
        {
            uint sign = (uint)(bits >> 32) & 0x80000000u;
            long rest = bits & 0x7fffffffffffffffL;
            if (rest > 0x7ff0000000000000L)
                return as_float(0x7fc00000u);
            if (rest >= 0x47f0000000000000L)
                return as_float(sign | 0x7f800000u);
            if (rest < 0x3810000000000000L)
                return as_float(sign);
            return as_float(sign | (uint)((rest - 0x3800000000000000L + 0xfffffffL + (rest >> 29 & 1)) >> 29));
        }

        inline long nf_write_double(float x)
        {
            uint bits = as_uint(x), rest = bits & 0x7fffffffu;
            long sign = (long)(bits & 0x80000000u) << 32;
            if (rest > 0x7f800000u)
                return 0x7ff8000000000000L;
            if (rest == 0x7f800000u)
                return sign | 0x7ff0000000000000L;
            if (rest < 0x00800000u)
                return sign;
            return sign | ((long)rest << 29) + 0x3800000000000000L;
        }


        """;

    public static string Rewrite(string source)
    {
        if (!Double().IsMatch(source))
        {
            return source;
        }

        // Bits of slots are converted wherever they are taken for doubles.
        source = AsDouble().Replace(source, "nf_read_double(");
        source = AsLong().Replace(source, "nf_write_double(");
        source = Operands(source);
        source = Memory(source);
        source = Literal().Replace(source, match => Single(match.Value));
        return Functions + Double().Replace(source, "float");
    }

    // A kernel's operands are laid out by the host: fields stay eight bytes long.
    private static string Operands(string source)
    {
        HashSet<string> fields = [];
        source = OperandStruct().Replace(source, structure => DoubleField().Replace(structure.Value, field =>
        {
            fields.Add(field.Groups["name"].Value);
            return $"\tlong {field.Groups["name"].Value};";
        }));
        // The last struct that is named so is the kernel's operand, var0.
        return fields.Count == 0 ? source : OperandRead().Replace(source, read =>
            fields.Contains(read.Groups["name"].Value) ? $"= nf_read_double({read.Groups["operand"].Value})" : read.Value);
    }

    // What lies in global memory stays eight bytes long; local memory is the kernel's own.
    private static string Memory(string source)
    {
        HashSet<string> types = [.. GlobalType().Matches(source).Select(m => m.Groups["type"].Value)];
        if (types.Count == 0)
        {
            return source;
        }

        HashSet<string> pointers = [.. Variable().Matches(source).Where(m => types.Contains(m.Groups["type"].Value)).Select(m => m.Groups["name"].Value)];
        source = GlobalType().Replace(source, "typedef global long* ${type};");
        source = GlobalView().Replace(source, "global long* ");
        source = Load().Replace(source, load => pointers.Contains(load.Groups["pointer"].Value) ? $"= nf_read_double(*{load.Groups["pointer"].Value});" : load.Value);
        return Store().Replace(source, store =>
            pointers.Contains(store.Groups["pointer"].Value) ? $"*{store.Groups["pointer"].Value} = nf_write_double({store.Groups["value"].Value});" : store.Value);
    }

    private static string Single(string literal) =>
        double.Parse(literal, CultureInfo.InvariantCulture) is var value && Math.Abs(value) <= float.MaxValue ? literal + "f" : value > 0 ? "INFINITY" : "-INFINITY";

    [GeneratedRegex(@"\bdouble\b")]
    private static partial Regex Double();

    [GeneratedRegex(@"\bas_double\s*\(")]
    private static partial Regex AsDouble();

    [GeneratedRegex(@"\bas_long\s*\(")]
    private static partial Regex AsLong();

    [GeneratedRegex(@"^struct \w+_kernel\s*\{[^}]*\};", RegexOptions.Multiline)]
    private static partial Regex OperandStruct();

    [GeneratedRegex(@"^\s*double (?<name>field_\d+);", RegexOptions.Multiline)]
    private static partial Regex DoubleField();

    [GeneratedRegex(@"=\s*(?<operand>var0\.(?<name>field_\d+))(?=;)")]
    private static partial Regex OperandRead();

    [GeneratedRegex(@"^typedef global double\* (?<type>\w+);", RegexOptions.Multiline)]
    private static partial Regex GlobalType();

    [GeneratedRegex(@"global double\* (?=view_)")]
    private static partial Regex GlobalView();

    [GeneratedRegex(@"^\t(?<type>\w+) (?<name>var\d+);", RegexOptions.Multiline)]
    private static partial Regex Variable();

    [GeneratedRegex(@"=\s*\*\s*(?<pointer>var\d+);")]
    private static partial Regex Load();

    [GeneratedRegex(@"^\s*\*\s*(?<pointer>var\d+)\s*=\s*(?<value>[^;]+);", RegexOptions.Multiline)]
    private static partial Regex Store();

    // A number with a point or an exponent that is not one of single precision already.
    [GeneratedRegex(@"(?<![\w.])-?(\d+\.\d+([eE][-+]?\d+)?|\d+[eE][-+]?\d+)(?![\w.])")]
    private static partial Regex Literal();
}
