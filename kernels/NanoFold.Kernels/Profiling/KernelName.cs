using System.Text;

namespace NanoFold.Kernels.Profiling;

/// <summary>Readable names of formulas and work items, from their types.</summary>
public static class KernelName
{
    private static readonly string[] s_suffixes = ["Work", "Op"];

    /// <summary>As in <c>gated-activation&lt;silu&gt;.gate-gradient</c> for a formula inside the op that owns it.</summary>
    public static string Of(Type type)
    {
        // Lanes only say which instructions are used, and a wrapper around work is of no interest.
        Type[] arguments = [.. type.GetGenericArguments().Where(a => !a.Name.StartsWith("Lane", StringComparison.Ordinal))];
        if (type is { Name: "Call`2", IsNested: true })
        {
            return Of(arguments[0]);
        }

        // A type that is only called "work" is told by what it is nested in.
        string name = Kebab(type.Name);
        if (type is { IsNested: true, DeclaringType: { } owner })
        {
            string outer = Kebab(owner.Name) + Arguments(arguments);
            name = type.Name.StartsWith("Work", StringComparison.Ordinal) ? outer : $"{outer}.{name}";
        }
        else
        {
            name += Arguments(arguments);
        }

        return name;
    }

    private static string Arguments(Type[] arguments)
        => arguments.Length == 1 ? $"<{Of(arguments[0])}>" : "";

    private static string Kebab(string name)
    {
        int tick = name.IndexOf('`', StringComparison.Ordinal);
        name = tick < 0 ? name : name[..tick];
        foreach (string suffix in s_suffixes)
        {
            name = name.Length > suffix.Length && name.EndsWith(suffix, StringComparison.Ordinal) ? name[..^suffix.Length] : name;
        }

        var text = new StringBuilder();
        for (int i = 0; i < name.Length; i++)
        {
            if (i > 0 && char.IsUpper(name[i]) && !char.IsUpper(name[i - 1]))
            {
                text.Append('-');
            }

            text.Append(char.ToLowerInvariant(name[i]));
        }

        return text.ToString();
    }
}

/// <summary>A kernel as a device's compiler made it.</summary>
/// <param name="Name">Of the source.</param>
/// <param name="Registers">A thread.</param>
/// <param name="LocalBytes">A thread, in slow local memory: spilled registers and indexed arrays.</param>
/// <param name="SharedBytes">A group, fixed when it was compiled.</param>
public sealed record CompiledKernel(string Name, int Registers, int LocalBytes, int SharedBytes);
