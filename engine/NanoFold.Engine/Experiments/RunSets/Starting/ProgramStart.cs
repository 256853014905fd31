using System.Diagnostics;
using System.Reflection;

namespace NanoFold.Engine.Experiments;

/// <summary>How a program is started.</summary>
/// <param name="File">The executable.</param>
/// <param name="Arguments">Its arguments.</param>
public sealed record ProgramStart(string File, IReadOnlyList<string> Arguments)
{
    /// <summary>
    /// This program with the words it was started with, whether by its own executable or by <c>dotnet X.dll</c>; null where that would be another program: one that does not refer to
    /// <paramref name="needed"/>, such as a test host.
    /// </summary>
    /// <param name="needed">The assembly that the started program has to come to.</param>
    public static ProgramStart? Again(Assembly needed)
    {
        Assembly? entry = Assembly.GetEntryAssembly();
        if (Environment.ProcessPath is not { } process || entry is null || !(entry == needed || entry.GetReferencedAssemblies().Any(name => name.Name == needed.GetName().Name)))
        {
            return null;
        }

        string[] words = Environment.GetCommandLineArgs();
        bool isHost = Path.GetFileNameWithoutExtension(process).Equals("dotnet", StringComparison.OrdinalIgnoreCase);
        return new ProgramStart(process, isHost ? words : words[1..]);
    }

    internal ProcessStartInfo ToInfo() => new(File, Arguments)
    {
        RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
    };
}
