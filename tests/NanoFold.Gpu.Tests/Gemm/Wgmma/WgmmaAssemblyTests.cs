using NanoFold.Engine.Ops;

namespace NanoFold.Gpu.Tests.Gemm.Wgmma;

/// <summary>What NVIDIA's assembler says of products and attention by warpgroups, where there is one: no error, nothing spilled, no products that wait for one another (C75xx).</summary>
[Category("Long")]
[Parallelizable]
internal sealed class WgmmaAssemblyTests
{
    [Test]
    public void TheAssemblerIsContent()
    {
        PtxAssembler? assembler = PtxAssembler.Find(out string? reason);
        if (assembler is null)
        {
            Assert.Ignore(reason!);
        }

        using var programs = new GpuPrograms(typeof(OpCases).Assembly);
        GpuProgram[] products = [.. programs.All.Where(program => program.Group.StartsWith("Wgmma", StringComparison.Ordinal) || program.Group.Contains("by warpgroups", StringComparison.Ordinal))];
        var rows = new ProgramRow[products.Length];
        DirectoryInfo folder = Directory.CreateTempSubdirectory("nanofold-ptx-");
        try
        {
            Parallel.For(0, rows.Length, i => rows[i] = ProgramRow.Write(products[i], folder.FullName, assembler, ["sm_90a"]));
        }
        finally
        {
            folder.Delete(recursive: true);
        }

        Assert.That(rows, Has.Length.GreaterThan(20));
        Assert.Multiple(() =>
        {
            foreach (ProgramRow row in rows)
            {
                Assert.That(row.Findings.Faults, Is.Empty, row.Name);
                Assert.That(row.Assembled.Select(made => (made.Error, made.StoredBytes, made.Remarks.Count)), Is.EqualTo(new[] { ((string?)null, 0, 0) }), row.Name);
            }
        });
    }
}
