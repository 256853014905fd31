using NanoFold.Engine.Checkpoints;

namespace NanoFold.Tests;

/// <summary>Finds the optional folder <c>shared/data</c> beside or above the repository; tests that need it skip where it is absent.</summary>
public static class SharedData
{
    /// <summary>The full path of a file or folder below <c>shared/data</c>, or skips the running test with a reason.</summary>
    public static string Path(string name)
    {
        if (Find(name) is { } found)
        {
            return found;
        }

        Assert.Ignore($"shared/data/{name} is not on this machine");
        return "";
    }

    /// <summary>The full path of a file or folder below <c>shared/data</c>, or null.</summary>
    public static string? Find(string name)
    {
        for (var folder = new DirectoryInfo(TestContext.CurrentContext.TestDirectory); folder is not null; folder = folder.Parent)
        {
            string candidate = System.IO.Path.Combine(folder.FullName, "shared", "data", name);
            if (File.Exists(candidate) || Directory.Exists(candidate))
            {
                return candidate;
            }
        }

        return null;
    }

    /// <summary>The names of a folder's folders in a fixed order: cases of a test, one named "none" where the folder is absent, so that it skips with a reason.</summary>
    public static IEnumerable<string> Cases(string name) => Find(name) is { } folder
        ? Directory.GetDirectories(folder).Select(path => System.IO.Path.GetFileName(path)).Order(StringComparer.Ordinal)
        : ["none"];

    /// <summary>A tensor of reals or of 64-bit integers, as reals.</summary>
    public static double[] Reals(SafeTensorsFile file, string name)
    {
        SafeTensorInfo info = file[name];
        if (info.Type == SafeTensorType.I64)
        {
            var integers = new long[info.Count];
            file.Read(name, integers.AsSpan());
            return Array.ConvertAll(integers, i => (double)i);
        }

        var values = new float[info.Count];
        file.Read(name, values.AsSpan());
        return Array.ConvertAll(values, v => (double)v);
    }
}
