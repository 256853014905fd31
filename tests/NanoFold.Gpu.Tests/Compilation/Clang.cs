using System.Diagnostics;

namespace NanoFold.Gpu.Tests.Compilation;

/// <summary>Clang, which knows OpenCL C.</summary>
internal static class Clang
{
    /// <summary>Its path, or null.</summary>
    public static string? Find()
    {
        string name = OperatingSystem.IsWindows() ? "clang.exe" : "clang";
        return (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Where(p => p.Length > 0).Select(p => Path.Combine(p, name)).FirstOrDefault(File.Exists);
    }

    /// <summary>What it has to say about the works' OpenCL C; nothing where all is well.</summary>
    public static string Check(string clang, IReadOnlyList<CompiledWork> works)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("nanofold-cl-");
        try
        {
            for (int i = 0; i < works.Count; i++)
            {
                File.WriteAllText(Path.Combine(folder.FullName, $"{i}.cl"), $"// {works[i]}\n{works[i].OpenCl}");
            }

            string[] arguments = ["-x", "cl", "-cl-std=CL2.0", "-target", "spir64", "-fsyntax-only", "-w", "-Xclang", "-finclude-default-header", .. Enumerable.Range(0, works.Count).Select(i => $"{i}.cl")];
            var start = new ProcessStartInfo(clang, arguments) { WorkingDirectory = folder.FullName, RedirectStandardError = true };
            using Process process = Process.Start(start)!;
            string errors = process.StandardError.ReadToEnd();
            process.WaitForExit();
            return errors.Length == 0 && process.ExitCode != 0 ? $"exit code {process.ExitCode}" : errors;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
