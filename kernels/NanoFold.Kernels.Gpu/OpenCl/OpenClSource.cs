using System.Globalization;
using System.Text.RegularExpressions;

namespace NanoFold.Kernels.Gpu.OpenCl;

/// <summary>ILGPU's OpenCL C, made right, and made to fit what a device lacks.</summary>
/// <remarks>
/// What is put right, as ILGPU 1.5.3 writes it:
/// a barrier orders global memory only, not the local memory that it is there for;
/// an atomic operation casts its operand to a pointer without an address space, which is one to private memory where there is no generic address space
/// (PoCL 3.1; any other kernel does without one, whatever ILGPU asks for).
/// </remarks>
internal static partial class OpenClSource
{
    /// <summary>Counts up when what is written here changes: kernels that are kept are made again.</summary>
    public const int Version = 2;

    // ILGPU writes constants without a sign into integers with one; PoCL would count the warnings on standard error.
    private const string Quiet = """
        #ifdef __clang__
        #pragma clang diagnostic ignored "-Wconstant-conversion"
        #endif

        """;

    public static string Rewrite(string source, OpenClCapabilities device)
    {
        source = Pragma().Replace(source, "");
        source = device.IsProcessor && ThreadLoops.HasBarrier(source) ? ThreadLoops.Rewrite(source) : source;
        source = Barrier().Replace(source, "work_group_barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE)");
        source = AtomicAdd().Replace(source, "atomic_add (${pointer}, ");
        source = device.HasHalf ? "#pragma OPENCL EXTENSION cl_khr_fp16 : enable\n" + source : OpenClHalves.Rewrite(source);
        return Quiet + (device.HasDouble ? "#pragma OPENCL EXTENSION cl_khr_fp64 : enable\n" + source : OpenClDoubles.Rewrite(source));
    }

    /// <summary>Bytes of local memory that a kernel asks for.</summary>
    public static long LocalBytes(string source)
    {
        Dictionary<string, string> structs = Structs(source);
        return Local().Matches(source).Sum(m => long.Parse(m.Groups["count"].Value, CultureInfo.InvariantCulture) * Size(m.Groups["type"].Value));

        int Size(string type) => structs.TryGetValue(type, out string? fields) ? Field().Matches(fields).Sum(f => Size(f.Groups["type"].Value)) : Bytes(type);
    }

    /// <summary>Whether a kernel takes a work's operands as they are written: as many buffers, and the numbers of its struct in their places.</summary>
    public static bool Takes(string source, WorkOperands operands)
    {
        string[] taken = Kernel().Match(source).Groups["operands"].Value.Split(',', StringSplitOptions.TrimEntries);
        string type = taken[^1][..taken[^1].LastIndexOf(' ')];
        Dictionary<int, int> fields = [];
        int end = 0, most = 1;
        foreach (Match member in Member().Matches(Structs(source).TryGetValue(type, out string? text) ? text : $"{type} field_0;"))
        {
            if (member.Groups["gap"] is { Success: true } gap)
            {
                end += int.Parse(gap.Value, CultureInfo.InvariantCulture);
                continue;
            }

            int bytes = Bytes(member.Groups["type"].Value), at = (end + bytes - 1) / bytes * bytes;
            fields.Add(at, bytes);
            (end, most) = (at + bytes, Math.Max(most, bytes));
        }

        // A view's first element has 32 bits there.
        return taken.Length == operands.Views + 1 && (end + most - 1) / most * most == operands.Bytes
            && operands.Numbers.All(n => fields.TryGetValue(n.At, out int bytes) && (bytes == n.Bytes || (bytes == sizeof(int) && n.Bytes == sizeof(long))));
    }

    private static Dictionary<string, string> Structs(string source) => Struct().Matches(source).ToDictionary(m => m.Groups["name"].Value, m => m.Groups["fields"].Value);

    private static int Bytes(string type) => type switch
    {
        "bool" or "char" or "uchar" => 1,
        "short" or "ushort" or "half" => 2,
        "int" or "uint" or "float" => 4,
        _ => 8,
    };

    [GeneratedRegex(@"^kernel void \w+\((?<operands>[^)]*)\)", RegexOptions.Multiline)]
    private static partial Regex Kernel();

    // Extensions that ILGPU asks for whether they are there and needed or not.
    [GeneratedRegex(@"^#pragma OPENCL EXTENSION.*\r?\n", RegexOptions.Multiline)]
    private static partial Regex Pragma();

    [GeneratedRegex(@"work_group_barrier\s*\(\s*CLK_GLOBAL_MEM_FENCE\s*\)")]
    private static partial Regex Barrier();

    [GeneratedRegex(@"^\s*local (?<type>[\w ]+?) \w+\[(?<count>\d+)\];", RegexOptions.Multiline)]
    private static partial Regex Local();

    [GeneratedRegex(@"^(?<name>struct \w+)\s*\{(?<fields>[^}]*)\};", RegexOptions.Multiline)]
    private static partial Regex Struct();

    [GeneratedRegex(@"^\s*(?<type>[\w ]+?) field_\d+;", RegexOptions.Multiline)]
    private static partial Regex Field();

    [GeneratedRegex(@"^\s*(?<type>[\w ]+?) (field_\d+|__padding\d+\[(?<gap>\d+)\]);", RegexOptions.Multiline)]
    private static partial Regex Member();

    [GeneratedRegex(@"atomic_fetch_add\s*\(\(atomic_int\*\)\s*(?<pointer>\w+),")]
    private static partial Regex AtomicAdd();
}
