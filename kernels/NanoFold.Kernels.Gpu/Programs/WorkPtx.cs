using System.Globalization;
using System.Text.RegularExpressions;
using ILGPU.Runtime.Cuda;

namespace NanoFold.Kernels.Gpu.Programs;

/// <summary>What ILGPU makes of works, and how their programs are called.</summary>
internal static partial class WorkPtx
{
    /// <summary>What devices from 8.0 on get.</summary>
    public static CudaArchitecture Architecture => CudaArchitecture.SM_80;

    /// <summary>As in <c>Flat-Binary-Silu.Gradient-F32</c>.</summary>
    public static string FileName(Type work) => NotOfNames().Replace(Name(work), "-").Trim('-');

    /// <summary>By the folder that its work is in.</summary>
    public static string Group(Type work) => $"works {work.Namespace!.Split('.')[^1]}";

    /// <summary>Labels and parameters have numbers that depend on what was compiled before: they are counted anew.</summary>
    public static string Numbered(string ptx)
    {
        var numbers = new Dictionary<string, string>();
        return Numbers().Replace(ptx, match =>
        {
            if (!numbers.TryGetValue(match.Value, out string? name))
            {
                name = string.Create(CultureInfo.InvariantCulture, $"{match.Groups["name"].Value}{numbers.Count}");
                numbers.Add(match.Value, name);
            }

            return name;
        });
    }

    private static string Name(Type type)
    {
        string own = type.Name.Split('`')[0];
        own = own.EndsWith("Work", StringComparison.Ordinal) ? own[..^4] : own;
        string name = type.DeclaringType is { } outer ? $"{outer.Name.Split('`')[0]}.{own}" : own;
        return type.IsGenericType ? $"{name}({string.Join(", ", type.GetGenericArguments().Select(Name))})" : name;
    }

    [GeneratedRegex(@"[^\w.]+")]
    private static partial Regex NotOfNames();

    [GeneratedRegex(@"\b(?<name>L_|_[a-z]\w*?_)\d+\b")]
    private static partial Regex Numbers();
}
