using System.Globalization;
using System.Text;

namespace NanoFold.Kernels.Gpu.Programs;

/// <summary>Programs and their groups as tables of tab-separated columns.</summary>
public static class ProgramTable
{
    private const string GroupHead = "group\tarchitecture\tprograms\tleast registers\tmost registers\tspilling\tmost spilled bytes";

    /// <summary>A line a program; for each architecture registers, bytes stored and loaded for want of registers, of the stack, and remarks.</summary>
    public static string Of(IEnumerable<ProgramRow> rows, IReadOnlyList<string> architectures)
    {
        var text = new StringBuilder("name\tgroup\tfile\ttarget\tthreads\tblocks\tdeclared registers\tlive registers\tmost registers\tstatic shared bytes\tdynamic shared bytes\tfaults");
        foreach (string architecture in architectures)
        {
            foreach (string column in (string[])["registers", "spilled bytes", "loaded bytes", "stack bytes", "remarks"])
            {
                text.Append(CultureInfo.InvariantCulture, $"\t{architecture} {column}");
            }
        }

        text.Append('\n');
        foreach (ProgramRow row in rows)
        {
            text.Append(CultureInfo.InvariantCulture, $"{row.Name}\t{row.Group}\t{row.File}\t{row.Findings.Target}\t{row.Findings.MostThreads}\t{row.Findings.LeastBlocks}\t{row.Findings.Declared}\t{row.Findings.Live}\t{row.Findings.MostRegisters}");
            text.Append(CultureInfo.InvariantCulture, $"\t{row.Findings.StaticSharedBytes}\t{row.DynamicSharedBytes}\t{string.Join("; ", row.Findings.Faults)}");
            foreach (string architecture in architectures)
            {
                AssembledProgram? made = row.Assembled.FirstOrDefault(a => a.Architecture == architecture);
                text.Append(made is null ? "\t\t\t\t\t" : string.Create(CultureInfo.InvariantCulture, $"\t{made.Registers}\t{made.StoredBytes}\t{made.LoadedBytes}\t{made.StackBytes}\t{string.Join("; ", made.Remarks)}"));
            }

            text.Append('\n');
        }

        return text.ToString();
    }

    /// <summary>A line a group and architecture.</summary>
    /// <param name="version">Of the assembler, which the first line names.</param>
    /// <param name="groups">The lines.</param>
    public static string Of(string version, IEnumerable<ProgramGroup> groups)
    {
        var text = new StringBuilder($"# ptxas {version}\n{GroupHead}\n");
        foreach (ProgramGroup group in groups)
        {
            text.Append(CultureInfo.InvariantCulture, $"{group.Name}\t{group.Architecture}\t{group.Programs}\t{group.LeastRegisters}\t{group.MostRegisters}\t{group.Spilling}\t{group.MostSpilledBytes}\n");
        }

        return text.ToString();
    }

    /// <summary>What <see cref="Of(string, IEnumerable{ProgramGroup})"/> wrote.</summary>
    public static (string Version, IReadOnlyList<ProgramGroup> Groups) ReadGroups(string text)
    {
        string[] lines = [.. text.Split('\n').Select(line => line.TrimEnd('\r')).Where(line => line.Length > 0)];
        return (lines[0].Split(' ')[^1], [.. lines.Skip(2).Select(line => line.Split('\t')).Select(cells => new ProgramGroup(
            cells[0], cells[1], Number(cells[2]), Number(cells[3]), Number(cells[4]), Number(cells[5]), Number(cells[6])))]);
    }

    private static int Number(string cell) => int.Parse(cell, CultureInfo.InvariantCulture);
}
