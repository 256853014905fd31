using System.Diagnostics;
using System.Text;
using NanoFold.Engine;
using NanoFold.Kernels.Memory;

namespace NanoFold.Tests;

/// <summary>A file that a user named is replaced as a whole, and only where it is a plain file.</summary>
public class OutputFileTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void SetUp() => _folder = new TemporaryFolder();

    [TearDown]
    public void TearDown() => _folder.Dispose();

    [Test]
    public void APlainFileIsReplacedAsAWholeOrNotAtAll()
    {
        string path = _folder["a"];
        Write(path, "first");
        Write(path, "2nd");
        Assert.That(File.ReadAllText(path), Is.EqualTo("2nd"));

        Assert.That(() => OutputFile.Write(path, HalfOfIt), Throws.TypeOf<UserException>().With.Message.EqualTo($"cannot write {path}: half"));
        Assert.That(File.ReadAllText(path), Is.EqualTo("2nd"));
        Assert.That(Directory.GetFiles(_folder.Path), Is.EqualTo(new[] { path }), "nothing is left beside it");

        static void HalfOfIt(Stream stream)
        {
            stream.Write("thi"u8);
            throw new IOException("half");
        }
    }

    [Test]
    public void ALinkStaysAndItsTargetIsReplaced()
    {
        Directory.CreateDirectory(_folder["elsewhere"]);
        string target = _folder["elsewhere/target"], link = _folder["link"], chain = _folder["chain"];
        File.CreateSymbolicLink(link, Path.Combine("elsewhere", "target"));
        File.CreateSymbolicLink(chain, link);

        Write(chain, "new");
        Assert.That(File.ReadAllText(target), Is.EqualTo("new"), "a link to nothing makes its target");
        Write(link, "newer");
        Assert.That(File.ReadAllText(target), Is.EqualTo("newer"));
        Assert.That((new FileInfo(link).LinkTarget, new FileInfo(chain).LinkTarget), Is.EqualTo((Path.Combine("elsewhere", "target"), link)));
    }

    [Test]
    public void PermissionsStay()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Ignore("files have no modes here");
            return;
        }

        string path = _folder["a"];
        Write(path, "1");
        const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;
        File.SetUnixFileMode(path, Mode);
        Write(path, "2");
        Assert.That(File.GetUnixFileMode(path), Is.EqualTo(Mode));
    }

    [TestCase("/dev/null")]
    [TestCase("/dev/full")]
    [Platform("Linux")]
    public void ADeviceIsWrittenIntoAndStaysADevice(string device)
    {
        string link = _folder["link"];
        File.CreateSymbolicLink(link, device);
        foreach (string path in new[] { device, link })
        {
            Assert.That(() => OutputFile.Require(path, "--save"), Throws.Nothing);
            Assert.That(
                () => Write(path, "text"),
                device == "/dev/null" ? Throws.Nothing : Throws.TypeOf<UserException>().With.Message.EqualTo($"cannot write {path}: the disk is full"));
        }

        Assert.That(FileKind.IsSpecial(device) && FileKind.IsSpecial(link));
        Assert.That(new FileInfo(link).LinkTarget, Is.EqualTo(device));
        Assert.That(Directory.GetFiles(_folder.Path), Has.Length.EqualTo(1));
    }

    [Test]
    [Platform(Exclude = "Win")]
    public void APipeIsWrittenIntoAndStaysAPipe()
    {
        string pipe = _folder["pipe"];
        Process.Start("mkfifo", pipe).WaitForExit();
        Task<string> read = Task.Run(() => File.ReadAllText(pipe));

        OutputFile.Require(pipe, "--save");
        Write(pipe, "through");
        Assert.That(read.Result, Is.EqualTo("through"));
        Assert.That(FileKind.IsSpecial(pipe));
    }

    [Test]
    public void WhatIsInTheWayIsSaidBefore()
    {
        File.WriteAllText(_folder["file"], "");
        Assert.That(() => OutputFile.Require(_folder.Path, "--save"), Throws.TypeOf<UserException>().With.Message.EqualTo($"--save {_folder.Path}: is a folder; name a file"));
        Assert.That(
            () => OutputFile.Require(_folder["no/file"], "--save"),
            Throws.TypeOf<UserException>().With.Message.EqualTo($"--save {_folder["no/file"]}: there is no folder {_folder["no"]}"));
        Assert.That(() => OutputFile.Require(_folder["new"], "--save"), Throws.Nothing);
        Assert.That(File.Exists(_folder["new"]), Is.False);
        Assert.That((FileKind.IsSpecial(_folder.Path), FileKind.IsSpecial(_folder["file"]), FileKind.IsSpecial(_folder["new"])), Is.EqualTo((false, false, false)));
    }

    private static void Write(string path, string text) => OutputFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));
}
