@echo off
rem Builds the command line when its sources are newer than the last build (tools\build.ps1), then runs it:
rem   nanofold.cmd VERB ...        (nanofold.cmd --help lists the verbs)
setlocal
where dotnet >nul 2>nul
if errorlevel 1 (
    echo nanofold: dotnet was not found; install the .NET SDK 10 from https://dotnet.microsoft.com/download 1>&2
    exit /b 1
)
powershell -NoLogo -NoProfile -ExecutionPolicy Bypass -File "%~dp0tools\build.ps1" <nul
if errorlevel 1 exit /b 1
dotnet "%~dp0tools\NanoFold.Cli\bin\Release\net10.0\nanofold.dll" %*
exit /b %errorlevel%
