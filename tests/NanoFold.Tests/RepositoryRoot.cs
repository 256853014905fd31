namespace NanoFold.Tests;

/// <summary>Finds the repository that the tests were built in; tests of its scripts skip where they run without it.</summary>
public static class RepositoryRoot
{
    /// <summary>The full path of a file in the repository, or skips the running test with a reason.</summary>
    public static string File(string name)
    {
        for (var folder = new DirectoryInfo(TestContext.CurrentContext.TestDirectory); folder is not null; folder = folder.Parent)
        {
            if (System.IO.File.Exists(Path.Combine(folder.FullName, "NanoFold.sln")))
            {
                return Path.Combine(folder.FullName, name);
            }
        }

        Assert.Ignore("the tests do not run in the repository");
        return "";
    }
}
