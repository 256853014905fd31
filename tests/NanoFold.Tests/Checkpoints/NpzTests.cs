using System.Diagnostics;
using NanoFold.Engine;
using NanoFold.Engine.Checkpoints;

namespace NanoFold.Tests.Checkpoints;

/// <summary>Arrays in numpy's format.</summary>
public class NpzTests
{
    [Test]
    public void ArraysAreReadBackAsTheyWereWritten()
    {
        using var folder = new TemporaryFolder();
        Write(folder["a.npz"]);
        using NpzReader reader = NpzReader.Open(folder["a.npz"]);
        Assert.That(reader.Names, Is.EqualTo(new[] { "twonn/mu", "pairs/x/5/rows", "exact", "scalar", "none", "text" }));
        Assert.That(reader.Read("twonn/mu"), Is.EqualTo((new[] { 2, 3 }, new[] { 1, 2.5, -3, 4, 5, 6 })));
        Assert.That(reader.Read("pairs/x/5/rows"), Is.EqualTo((new[] { 2 }, new double[] { 7, -1 })));
        Assert.That(reader.Read("exact")!.Value.Values, Is.EqualTo(new[] { 1.0 / 3 }));
        Assert.That(reader.Read("scalar"), Is.EqualTo((Array.Empty<int>(), new double[] { 9 })));
        Assert.That(reader.Read("none"), Is.EqualTo((new[] { 0, 4 }, Array.Empty<double>())));
        Assert.That(reader.Read("other"), Is.Null);
        Assert.That(() => reader.Read("text"), Throws.InstanceOf<UserException>().With.Message.Contains("text: is damaged or not of a kind that is read"));

        Write(folder["b.npz"]);
        Assert.That(File.ReadAllBytes(folder["b.npz"]), Is.EqualTo(File.ReadAllBytes(folder["a.npz"])));
        File.WriteAllText(folder["c.npz"], "no archive");
        Assert.That(() => NpzReader.Open(folder["c.npz"]), Throws.InstanceOf<UserException>().With.Message.Contains("c.npz"));
    }

    [Test]
    public void WhatDoesNotFitIsRefused()
    {
        using var writer = new NpzWriter(new MemoryStream());
        writer.Add<int>("a", [1], [1]);
        Assert.That(() => writer.Add<int>("a", [1], [1]), Throws.ArgumentException.With.Message.Contains("'a' is taken"));
        Assert.That(() => writer.Add<int>("b", [2, 2], [1]), Throws.ArgumentException.With.Message.Contains("1 values are not of shape [2, 2]"));
        Assert.That(() => writer.Add<short>("c", [1], [1]), Throws.ArgumentException.With.Message.Contains("Int16"));
    }

    [Test]
    public void NumpyReadsThem()
    {
        using var folder = new TemporaryFolder();
        Write(folder["a.npz"]);
        const string Script = "import numpy as np, sys; d = np.load(sys.argv[1]); print([(k, d[k].dtype.str, d[k].shape, d[k].tolist()) for k in d])";
        using Process? python = Start("/usr/bin/python3", "-c", Script, folder["a.npz"]);
        string? said = python?.StandardOutput.ReadToEnd();
        python?.WaitForExit();
        if (python is not { ExitCode: 0 })
        {
            Assert.Ignore("there is no Python with numpy here");
        }

        Assert.That(said!.Trim(), Is.EqualTo(
            "[('twonn/mu', '<f4', (2, 3), [[1.0, 2.5, -3.0], [4.0, 5.0, 6.0]]), ('pairs/x/5/rows', '<i4', (2,), [7, -1]), ('exact', '<f8', (1,), [0.3333333333333333]), "
            + "('scalar', '<f4', (), 9.0), ('none', '<f4', (0, 4), []), ('text', '<U4', (3,), ['a', '', '苹果 🍎'])]"));
    }

    private static Process? Start(string file, params string[] arguments)
    {
        try
        {
            var start = new ProcessStartInfo(file, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
            start.Environment["PYTHONIOENCODING"] = "utf-8";
            return Process.Start(start);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    private static void Write(string path)
    {
        using var writer = new NpzWriter(File.Create(path));
        writer.Add<float>("twonn/mu", [2, 3], [1, 2.5f, -3, 4, 5, 6]);
        writer.Add("pairs/x/5/rows", [2], new[] { 7, -1 });
        writer.Add<double>("exact", [1], [1.0 / 3]);
        writer.Add<float>("scalar", [], [9]);
        writer.Add<float>("none", [0, 4], []);
        writer.Add("text", ["a", "", "苹果 🍎"]);
    }
}
