using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using ILGPU;
using NanoFold.Kernels.Memory;

namespace NanoFold.Kernels.Gpu.OpenCl;

/// <summary>
/// Keeps OpenCL C in files, by device and by the builds of the assemblies that a kernel is made of: writing it takes ILGPU tens of milliseconds a kernel. What drivers make of it
/// they keep themselves. A file that cannot be read or written costs time only.
/// </summary>
/// <param name="device">Whatever the code depends on of the device and its driver.</param>
/// <param name="folder">Where to keep it, or null for <c>opencl</c> in <see cref="CacheFolder.Default"/>.</param>
internal sealed class OpenClCache(string device, string? folder = null)
{
    private readonly string _folder = folder ?? Path.Combine(CacheFolder.Default, "opencl");
    private readonly string _device = $"{device}; ILGPU {Build(typeof(Context).Assembly)}; rules {OpenClSource.Version}";

    public string Get(Type work, Func<string> write)
    {
        string key = $"{work}; {string.Join(", ", Assemblies(work).Select(Build).Order(StringComparer.Ordinal))}; {_device}";
        string path = Path.Combine(_folder, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)))[..32] + ".cl");
        // The key stands at the end of the file: one that was cut off has none. A driver is not told it, for it changes with every build and what it keeps would be lost.
        string last = $"// {key}\n";
        try
        {
            if (File.Exists(path) && File.ReadAllText(path) is { } kept && kept.EndsWith(last, StringComparison.Ordinal))
            {
                return kept[..^last.Length];
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Written again.
        }

        string source = $"{write()}\n";
        try
        {
            Directory.CreateDirectory(_folder);
            string beside = $"{path}.tmp-{Guid.NewGuid():N}";
            File.WriteAllText(beside, source + last);
            File.Move(beside, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Written again by the next process.
        }

        return source;
    }

    /// <summary>The assemblies of a work's types, and those of this program that they refer to: a formula may call what lies in another one.</summary>
    private static HashSet<Assembly> Assemblies(Type work)
    {
        HashSet<Assembly> found = [];
        var open = new Stack<Assembly>(Types(work).Select(t => t.Assembly));
        Dictionary<string, Assembly> loaded = AppDomain.CurrentDomain.GetAssemblies().Where(a => !a.IsDynamic).DistinctBy(a => a.FullName).ToDictionary(a => a.FullName!);
        while (open.TryPop(out Assembly? next))
        {
            if (!found.Add(next))
            {
                continue;
            }

            foreach (AssemblyName name in next.GetReferencedAssemblies())
            {
                if (!IsFramework(name.Name!) && loaded.TryGetValue(name.FullName, out Assembly? other))
                {
                    open.Push(other);
                }
            }
        }

        return found;
    }

    private static IEnumerable<Type> Types(Type work) => work.IsGenericType ? work.GetGenericArguments().SelectMany(Types).Append(work) : [work];

    private static bool IsFramework(string name) => name.StartsWith("System", StringComparison.Ordinal) || name is "mscorlib" or "netstandard";

    private static string Build(Assembly assembly) => $"{assembly.GetName().Name} {assembly.ManifestModule.ModuleVersionId:N}";
}
